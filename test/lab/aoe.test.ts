import { randomBytes } from 'node:crypto';
import { initiatorConformance, type NodeDevice } from '@vbs/conformance';
import type { Call, Machine } from '@vbs/core';
import { type Guest, Lab } from '@vbs/lab';
import aoePlugin from '@vbs/plugin-aoe';
import test from 'ava';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const call = (): Call => ({
  signal: AbortSignal.timeout(60_000),
  operationId: 'op-00000000000000001',
  epoch: 1,
  log: silent,
  progress: () => undefined,
});

let lab: Lab;
test.before(async () => {
  lab = await Lab.up({ guests: ['vs1', 'node1'] });
  for (const guest of lab.guests) netif.set(guest.name, (await guest.script('cat /run/vbs-lab/storage-interface')).trim());
});
test.after.always(async () => await lab?.close());

const netif = new Map<string, string>();
let drawn = 0;

/** Bytes at a path of a guest, in base64 over its shell; direct: past its cache. */
function bytesAt(guest: () => Guest, path: string, flags: { readonly read: string; readonly write: string }) {
  return {
    read: async (offset: number, length: number): Promise<Buffer> => {
      const dd = `dd if='${path}' bs=4096 iflag=skip_bytes,count_bytes,fullblock${flags.read} skip=${offset} count=${length} status=none`;
      return Buffer.from(await guest().script(`set -o pipefail; test -e '${path}'; ${dd} | base64 -w0`), 'base64');
    },
    write: async (offset: number, bytes: Uint8Array): Promise<void> => {
      const dd = `dd of='${path}' bs=4096 oflag=seek_bytes${flags.write} iflag=fullblock seek=${offset} conv=notrunc,nocreat status=none`;
      await guest().script(`base64 -d | ${dd}`, { input: Buffer.from(bytes).toString('base64') });
    },
  };
}

initiatorConformance(test.serial, aoePlugin, {
  label: 'aoe in a guest with the real aoe driver',
  timeLimitMs: 180_000,
  settleLimitMs: 20_000,
  config: () => ({ interfaces: [netif.get('node1') ?? ''] }),
  machine: (): Machine => lab.guest('node1').machine,
  makeTarget: async (_surroundings, { sizeBytes, access, initiators }) => {
    const vs1 = lab.guest('vs1');
    const slot = ++drawn % 250;
    const file = `/tmp/aoe-${drawn}-${randomBytes(4).toString('hex')}`;
    const log = `${file}.log`;
    const options = `${access === 'read-only' ? '-r ' : ''}-s -m ${initiators.join(',')}`;
    const stop = async () =>
      void (await vs1.script(`pkill -f 'vblade .* ${file}$' || true; while pgrep -f 'vblade .* ${file}$'; do sleep 0.05; done`));
    const start = async () => {
      const vblade = `setsid vblade ${options} 1 ${slot} ${netif.get('vs1')} ${file} </dev/null >${log} 2>&1 &`;
      await vs1.script(`${vblade}\nfor i in $(seq 200); do grep -q pid ${log} && exit 0; sleep 0.05; done; cat ${log}; exit 1`);
    };
    await vs1.script(`truncate -s ${sizeBytes} ${file}`);
    await start();
    return {
      connection: { protocol: 'aoe', key: `e1.${slot}`, shelf: 1, slot, serial: 'vol00000000000000001' },
      bytes: bytesAt(() => vs1, file, { read: '', write: '' }),
      grow: async (bytes) => {
        await vs1.script(`truncate -s ${bytes} ${file}`);
        await stop();
        await start();
      },
      stop,
      start,
      remove: async () => {
        await stop();
        await vs1.script(`rm -f ${file} ${log}`);
      },
    };
  },
  device: async (_surroundings, path): Promise<NodeDevice> => {
    const node = lab.guest('node1');
    const { stdout } = await node.run('blockdev', '--getsize64', path);
    return {
      sizeBytes: Number(stdout),
      ...bytesAt(() => node, path, { read: ',direct', write: ',direct' }),
      flush: async () => void (await node.run('blockdev', '--flushbufs', path)),
    };
  },
  hold: async (_surroundings, path) => {
    const node = lab.guest('node1');
    const name = `held-${++drawn}`;
    await node.script(`dmsetup create ${name} --table "0 $(blockdev --getsz ${path}) linear ${path} 0"`);
    return async () => void (await node.script(`dmsetup remove --retry ${name}`));
  },
  showsSerial: false,
  appearsByItself: true,
  sizeBytes: 256 * 1024,
  atOnce: 4,
});

test.serial('the kernel › a name written without its end flushes every device whose name begins so; with its end, that one', async (t) => {
  const [vs1, node1] = [lab.guest('vs1'), lab.guest('node1')];
  await vs1.script(`
    truncate -s 1M /tmp/neighbour
    for slot in 1 10 100; do setsid vblade 2 $slot ${netif.get('vs1')} /tmp/neighbour </dev/null >/dev/null 2>&1 & done`);
  const wait = `aoe-discover; for i in $(seq 200); do [ -b /dev/etherd/e2.1 -a -b /dev/etherd/e2.10 -a -b /dev/etherd/e2.100 ] && break; sleep 0.05; done; udevadm settle`;
  const serials = async () =>
    (await node1.script(`for slot in 1 10 100; do cat "/sys/block/etherd!e2.$slot/diskseq" 2>/dev/null || echo gone; done`))
      .trim()
      .split('\n');
  await node1.script(wait);
  const before = await serials();
  await node1.machine.run(call(), ['tee', '/dev/etherd/flush'], { input: 'e2.1\0' });
  const [own, ...others] = await serials();
  t.not(own, before[0]);
  t.deepEqual(others, before.slice(1));
  await node1.script(wait);
  const again = await serials();
  await node1.run('aoe-flush', 'e2.1');
  for (const [index, serial] of (await serials()).entries()) t.not(serial, again[index], `e2.1${'0'.repeat(index)}`);
  await vs1.script('pkill -f "[v]blade 2 " || true');
});
