import type { Tool, ToolResult } from '../frame/tool.js';
import { diskNumber } from './disk-number.js';
import { type DiskSpec, parseDiskSpec } from './disk-spec.js';
import { sharingRefused } from './sharing.js';
import { frontendPath } from './store.js';
import type { Domain, XenWorld } from './world.js';

const usages: Readonly<Record<string, readonly [least: number, usage: string]>> = {
  'block-attach': [2, 'Usage: xl [-vtTfN] block-attach <Domain> <disk-spec-component(s)>...\n\nCreate a new virtual block device.\n\n'],
  'block-detach': [
    2,
    "Usage: xl [-vtTf] block-detach [option] <Domain> <DevId>\n\nDestroy a domain's virtual block device.\n\nOptions:\n\n-f, --force        do not wait for the domain to release the device\n",
  ],
  'block-list': [1, 'Usage: xl [-vtT] block-list <Domain(s)>\n\nList virtual block devices for a domain.\n\n'],
  domid: [1, 'Usage: xl [-vt] domid <DomainName>\n\nConvert a domain name to domain id.\n\n'],
  domname: [1, 'Usage: xl [-vt] domname <DomainId>\n\nConvert a domain id to domain name.\n\n'],
  list: [0, 'Usage: xl [-vt] list [options] [Domain]\n\nList information about all/some domains.\n\n'],
  pause: [1, 'Usage: xl [-vtf] pause <Domain>\n\nPause execution of a domain.\n\n'],
  unpause: [1, 'Usage: xl [-vtf] unpause <Domain>\n\nUnpause a paused domain.\n\n'],
};

const failure = (...lines: readonly string[]): ToolResult => ({ exitCode: 1, stderr: lines.map((line) => `${line}\n`).join('') });
const notAdded = (...lines: readonly string[]): ToolResult =>
  failure(
    ...lines.map((line) => `libxl: error: ${line}`),
    'libxl: error: libxl_device.c:1486:device_addrm_aocomplete: unable to add device',
    'libxl_device_disk_add failed.',
  );

/** xl 4.17, by its captures. */
export function xl(world: XenWorld): Tool {
  return ({ args }) => {
    const [command = '', ...words] = args;
    const usage = usages[command];
    if (usage === undefined) return failure('command not implemented');
    const [least, text] = usage;
    if (words[0] === '-h') return { stdout: text };
    const plain = words.filter((word) => !word.startsWith('-'));
    const options = words.filter((word) => word.startsWith('-'));
    const known = { 'block-detach': ['-f', '--force'], list: ['-l', '--long'] }[command] ?? [];
    const wrong = options.find((word) => !known.includes(word));
    if (wrong !== undefined) return { exitCode: 2, stderr: `option \`${wrong.slice(1, 2)}' not supported.\n` };
    if (plain.length < least) {
      const told = `'xl ${command}' requires at least ${least} argument${least === 1 ? '' : 's'}.`;
      return { exitCode: 2, stdout: text, stderr: `${told}\n\n` };
    }
    if (!world.root) {
      return failure(
        'xencall: error: Could not obtain handle on privileged command interface: Permission denied',
        'libxl: error: libxl.c:102:libxl_ctx_alloc: cannot open libxc handle: Permission denied',
        'cannot init xl context',
      );
    }
    const [domain = ''] = plain;
    switch (command) {
      case 'block-attach':
        return attach(world, domain, plain.slice(1));
      case 'block-detach':
        return detach(world, domain, plain[1] ?? '', options.length > 0);
      case 'block-list':
        return blockList(world, plain);
      case 'domid': {
        const found = find(world, domain);
        return found?.name === domain
          ? { stdout: `${found.id}\n` }
          : failure(`Can't get domid of domain name '${domain}', maybe this domain does not exist.`);
      }
      case 'domname': {
        const found = world.domains.get(Number(domain));
        return found === undefined
          ? failure(`Can't get domain name of domain id '${domain}', maybe this domain does not exist.`)
          : { stdout: `${found.name}\n` };
      }
      case 'pause':
      case 'unpause': {
        const found = find(world, domain);
        if (found === undefined) return failure(`${domain} is an invalid domain identifier (rc=-6)`);
        world[command](found.name);
        return {};
      }
      default:
        return list(world, domain, options.length > 0);
    }
  };
}

/** What is all digits is an id, and anything else a name. */
export function find(world: XenWorld, qualifier: string): Domain | undefined {
  if (/^\d+$/.test(qualifier)) return world.domains.get(Number(qualifier));
  return [...world.domains.values()].find(({ name }) => name === qualifier);
}

function attach(world: XenWorld, qualifier: string, words: readonly string[]): ToolResult {
  const domain = find(world, qualifier);
  if (domain === undefined && !/^\d+$/.test(qualifier)) return failure(`${qualifier} is an invalid domain identifier`);
  let spec: DiskSpec;
  try {
    spec = parseDiskSpec(words);
  } catch (text) {
    return failure(`command line: config parsing error in disk specification: ${String(text)}`);
  }
  if (domain === undefined) return notAdded(`libxl_dom.c:37:libxl__domain_type: unable to get domain type for domid=${qualifier}`);
  const { target, vdev, mode } = spec;
  const device = world.devices.find(target);
  if (device === undefined) {
    const told = `Disk vdev=${vdev} failed to stat: ${target}: No such file or directory`;
    return notAdded(`libxl_device.c:455:libxl__device_disk_set_backend: ${told}`);
  }
  const number = diskNumber(vdev);
  if (number === undefined) {
    const told = `Domain ${domain.id}:Invalid or unsupported virtual disk identifier ${vdev}`;
    return notAdded(`libxl_disk.c:214:libxl__device_from_disk: ${told}`, `libxl_disk.c:335:device_disk_add: ${told}`);
  }
  if (world.disksOf(domain.id).some((disk) => disk.number === number)) {
    return notAdded(`libxl_disk.c:343:device_disk_add: Domain ${domain.id}:device already exists in xenstore`);
  }
  const disk = { number, dev: vdev, params: target, mode, backend: 'vbd', device: undefined } as const;
  if (device === 'directory') {
    world.create(domain, { ...disk, params: `aio:${target}`, backend: 'qdisk' });
    return {};
  }
  const opened = device === 'file' ? world.devices.add(`/dev/loop${target.replaceAll('/', '-')}`) : device;
  const why = sharingRefused(world, domain, opened, mode);
  const broken = why !== undefined || world.hotplugHangs;
  const path = world.create(domain, { ...disk, device: broken ? undefined : opened });
  if (!broken) {
    world.connect(domain, number);
    return {};
  }
  world.store.write(`${frontendPath(domain.id, number)}/state`, '3');
  world.store.write(path, { state: '2', ...(why === undefined ? {} : { 'hotplug-status': 'busy', 'hotplug-error': why }) });
  const script = '/etc/xen/scripts/block add';
  const added = `libxl: error: libxl_device.c:1481:device_addrm_aocomplete: Domain ${domain.id}:Unable to add vbd with id ${number}`;
  if (why === undefined) {
    const told = `libxl: error: libxl_aoutils.c:539:async_exec_timeout: killing execution of ${script} because of timeout`;
    return failure(told, added, 'libxl_device_disk_add failed.');
  }
  return failure(
    `libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: ${script} [1105] exited with error status 1`,
    `libxl: error: libxl_device.c:1337:device_hotplug_child_death_cb: script: ${why}`,
    added,
    'libxl_device_disk_add failed.',
  );
}

function detach(world: XenWorld, qualifier: string, vdev: string, force: boolean): ToolResult {
  const domain = find(world, qualifier);
  if (domain === undefined) return failure(`${qualifier} is an invalid domain identifier (rc=-6)`);
  const number = diskNumber(vdev);
  if (number === undefined) return failure(`Error: Device ${vdev} not connected.`);
  const found = world.disksOf(domain.id).find((disk) => disk.number === number);
  if (found === undefined) {
    const path = `/libxl/${domain.id}/device/vbd/${number}`;
    return failure(
      `libxl: error: libxl_disk.c:516:libxl__disk_from_xenstore: disk ${path} does not exist (no backend path`,
      `Error: Device ${vdev} not connected.`,
    );
  }
  // What QEMU serves needs no guest to let go.
  if (force || found.kind === 'qdisk') world.drop(found.path, domain.id);
  else if (!world.release(domain, number)) {
    return failure(
      `libxl: error: libxl_device.c:1181:device_backend_callback: Domain ${domain.id}:unable to remove device with path ${found.path}`,
      `libxl: error: libxl_device.c:1481:device_addrm_aocomplete: Domain ${domain.id}:Unable to remove vbd with id ${number}`,
      'libxl_device_disk_safe_remove failed.',
    );
  }
  return {};
}

function blockList(world: XenWorld, qualifiers: readonly string[]): ToolResult {
  const row = (...[vdev = '', be = '', handle = '', state = '', channel = '', ring = '', path = '']: readonly string[]): string =>
    [vdev.padEnd(5), be.padEnd(3), handle.padEnd(6), state.padEnd(5), channel.padEnd(6), ring.padEnd(8), path.padEnd(30)].join(' ');
  const lines = [row('Vdev', 'BE', 'handle', 'state', 'evt-ch', 'ring-ref', 'BE-path')];
  const unknown: string[] = [];
  for (const qualifier of qualifiers) {
    const domain = find(world, qualifier);
    if (domain === undefined) unknown.push(`${qualifier} is an invalid domain identifier\n`);
    for (const { number, path } of domain === undefined ? [] : world.disksOf(domain.id)) {
      // Of the guest's end.
      const state = world.store.read(`${frontendPath(domain?.id ?? 0, number)}/state`) ?? '';
      const [channel, ring] = state === '4' ? ['8', '8'] : ['-1', '-1'];
      lines.push(row(String(number), '0', String(domain?.id), state, channel, ring, path));
    }
  }
  return { stdout: lines.map((line) => `${line}\n`).join(''), stderr: unknown.join('') };
}

function list(world: XenWorld, qualifier: string, long: boolean): ToolResult {
  const found = qualifier === '' ? [...world.domains.values()] : [find(world, qualifier)];
  const there = found.filter((domain) => domain !== undefined);
  if (there.length === 0) return failure(`${qualifier} is an invalid domain identifier (rc=-6)`);
  if (long)
    return {
      stdout: `${JSON.stringify(
        there.map((domain) => described(world, domain)),
        null,
        4,
      )}\n`,
    };
  const lines = there.map(({ id, name, paused }) => {
    const state = paused ? '--p---' : id === 0 ? 'r-----' : '-b----';
    return `${name.padEnd(40)} ${String(id).padStart(5)} ${'128'.padStart(5)} ${'1'.padStart(5)}     ${state} ${'11.8'.padStart(9)}\n`;
  });
  return { stdout: `Name                                        ID   Mem VCPUs\tState\tTime(s)\n${lines.join('')}` };
}

function described(world: XenWorld, { id, name, uuid }: Domain): object {
  const disks = world.disksOf(id).map(({ path }) => ({
    pdev_path: world.store.read(`${path}/params`),
    vdev: world.store.read(`${path}/dev`),
    format: 'raw',
    ...(world.store.read(`${path}/mode`) === 'w' ? { readwrite: 1 } : {}),
  }));
  return { domid: id, config: { c_info: { type: 'pv', name, uuid }, ...(disks.length === 0 ? {} : { disks }) } };
}
