import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { volumeBackendConformance } from '@vbs/conformance';
import type { Machine, VolumeLocator } from '@vbs/core';
import lvmPlugin from '@vbs/plugin-lvm-iet';
import test from 'ava';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { LvmWorld, lvmToolsOf } from '../../stand-ins/lvm/index.js';

const KiB = 1024;
/** Which world a volume group is of: each test has groups of its own, and a locator says its group. */
const worlds = new Map<string, LvmWorld>();
let groups = 0;

function fileOf({ path }: VolumeLocator<'block'>): string {
  const [, , group = '', name = ''] = path.split('/');
  const world = worlds.get(group);
  if (world === undefined) throw new Error(`no group ${group}`);
  return join(world.root, 'dev', group, name);
}

const io = {
  async read(locator: VolumeLocator<'block'>, offset: number, length: number): Promise<Buffer> {
    const file = await open(fileOf(locator), 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  },
  async write(locator: VolumeLocator<'block'>, offset: number, bytes: Uint8Array): Promise<void> {
    const file = await open(fileOf(locator), 'r+');
    try {
      await file.write(bytes, 0, bytes.length, offset);
    } finally {
      await file.close();
    }
  },
};

for (const thin of [false, true]) {
  volumeBackendConformance(test.serial, lvmPlugin, {
    label: `lvm-iet, ${thin ? 'thin' : 'thick'} on stand-in tools`,
    config: (directory, { atEnd }) => {
      const group = `vg${++groups}`;
      const options = { root: directory, group, extentBytes: 64 * KiB, extents: 600 };
      worlds.set(group, new LvmWorld({ ...options, ...(thin ? { thinPool: { name: 'pool', extents: 300 } } : {}) }));
      atEnd(async () => void worlds.delete(group));
      return { volumeGroup: group, blockBytes: 64 * KiB, pieceBytes: 1024 * KiB, ...(thin ? { thinPool: 'pool' } : {}) };
    },
    machine: ({ directory }): Machine => {
      const base = join(directory, '..');
      const mine = () => [...worlds.values()].filter(({ root }) => root.startsWith(base));
      return new StandInMachine({ root: directory, stateDirectory: join(base, 'state'), tools: lvmToolsOf(mine) });
    },
    io,
    settleLimitMs: 20_000,
  });
}
