import type { Tool, ToolResult } from '../frame/tool.js';
import { diskNumber } from './disk-number.js';
import { sharingRefused } from './sharing.js';
import { frontendPath } from './store.js';
import type { XenWorld } from './world.js';
import { find } from './xl.js';

const failure = (text: string, exitCode = 1): ToolResult => ({ exitCode, stderr: `Error: ${text}\n` });
/** The words that each command takes, the command not counted. */
const counts: Readonly<Record<string, readonly [least: number, most: number]>> = {
  'block-attach': [4, 5],
  'block-detach': [2, 3],
  'block-list': [1, 2],
  domid: [1, 1],
  domname: [1, 1],
  list: [0, 1],
};

/** xm of Xen 3.4, by notes of its source: the mode is a must, xend waits, and what could not be connected is destroyed again. */
export function xm(world: XenWorld): Tool {
  return ({ args }) => {
    const [command = '', ...words] = args;
    const count = counts[command];
    if (count === undefined) return failure(`Subcommand ${command} not found!`);
    const [least, most] = count;
    if (words.length < least || words.length > most) {
      const how = least === most ? `requires ${least}` : `requires between ${least} and ${most}`;
      return failure(`'xm ${command}' ${how} argument${most === 1 ? '' : 's'}.`);
    }
    if (!world.root) return failure('Most commands need root access. Please try again as root.');
    if (!world.xend) return failure('Unable to connect to xend: No such file or directory. Is xend running?');
    const [qualifier = ''] = words;
    if (command === 'list') return list(world, qualifier);
    const domain = find(world, qualifier);
    if (domain === undefined) return failure(`Domain '${qualifier}' does not exist.`, 3);
    switch (command) {
      case 'block-attach':
        return attach(world, domain, words);
      case 'block-detach':
        return detach(world, domain, words);
      case 'block-list':
        return blockList(world, domain);
      default:
        return { stdout: `${command === 'domid' ? domain.id : domain.name}\n` };
    }
  };
}

type Found = NonNullable<ReturnType<typeof find>>;

function attach(world: XenWorld, domain: Found, [, uname = '', dev = '', mode = '']: readonly string[]): ToolResult {
  const [, type, params = ''] = /^(phy|file):(.*)$/.exec(uname) ?? [];
  if (type === undefined) return failure(`Block device must have physical details specified`);
  if (!['r', 'w', 'w!'].includes(mode)) return failure(`Invalid mode`);
  const number = diskNumber(dev.replace(/^\/dev\//, ''));
  if (number === undefined) return failure(`Unable to find number for device (${dev})`);
  if (world.disksOf(domain.id).some((disk) => disk.number === number)) {
    return failure(`Device ${dev} (${number}, vbd) is already connected.`);
  }
  const target = params.startsWith('/') ? params : `/dev/${params}`;
  const device = world.devices.find(target);
  const refused = (why: string): ToolResult => failure(`Device ${number} (vbd) could not be connected. ${why}`);
  if (world.hotplugHangs) return refused('Hotplug scripts not working.');
  if (device === undefined || device === 'directory') return refused(`${target} does not exist.`);
  const opened = device === 'file' ? world.devices.add(`/dev/loop${target.replaceAll('/', '-')}`) : device;
  const why = sharingRefused(world, domain, opened, mode);
  if (why !== undefined) return refused(why);
  world.create(domain, { number, dev, params, mode, backend: 'vbd', device: opened });
  world.connect(domain, number);
  return {};
}

function detach(world: XenWorld, domain: Found, [, dev = '', option]: readonly string[]): ToolResult {
  const number = diskNumber(dev.replace(/^\/dev\//, ''));
  const found = world.disksOf(domain.id).find((disk) => disk.number === number);
  if (number === undefined || found === undefined) return failure(`Device ${dev} not connected`);
  if (option === '-f' || option === '--force') world.drop(found.path, domain.id);
  else if (!world.release(domain, number)) return failure(`Device ${number} (vbd) could not be disconnected.`);
  return {};
}

function blockList(world: XenWorld, { id }: Found): ToolResult {
  const disks = world.disksOf(id);
  if (disks.length === 0) return {};
  const rows = disks.map(({ number, path }) => {
    const columns = [
      String(number).padEnd(5),
      '0'.padEnd(3),
      '0'.padEnd(6),
      (world.store.read(`${frontendPath(id, number)}/state`) ?? '').padEnd(5),
    ];
    return `${columns.join(' ')} 8      8        ${path}\n`;
  });
  return { stdout: `Vdev  BE  handle state evt-ch ring-ref BE-path\n${rows.join('')}` };
}

function list(world: XenWorld, qualifier: string): ToolResult {
  const domain = qualifier === '' ? undefined : find(world, qualifier);
  if (qualifier !== '' && domain === undefined) return failure(`Domain '${qualifier}' does not exist.`, 3);
  const row = (name: string, id: string, state: string, time: string): string =>
    `${name.padEnd(40)} ${id.padStart(5)} ${'128'.padStart(5)} ${'1'.padStart(5)} ${state.padStart(10)} ${time.padStart(8)}\n`;
  const running = (domain === undefined ? [...world.domains.values()] : [domain]).map(({ id, name, paused }) =>
    row(name, String(id), paused ? '--p---' : id === 0 ? 'r-----' : '-b----', '11.8'),
  );
  const managed = domain === undefined ? world.managed.map((name) => row(name, '', '', '0.0')) : [];
  return {
    stdout: `Name                                        ID   Mem VCPUs      State   Time(s)\n${running.join('')}${managed.join('')}`,
  };
}
