import { open, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { initiatorConformance, type NodeDevice } from '@vbs/conformance';
import aoePlugin from '@vbs/plugin-aoe';
import test from 'ava';
import { AoeNode } from '../../stand-ins/aoe/aoe-node.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { AoeSegment, macDigits } from '../../stand-ins/vblade/segment.js';

interface World {
  readonly directory: string;
  readonly segment: AoeSegment;
  readonly node: AoeNode;
}

const worlds = new Map<string, World>();
let drawn = 0;

function worldOf(instance: string): World {
  const world = worlds.get(instance);
  if (world === undefined) throw new TypeError(`${instance} has no world`);
  return world;
}

async function transfer<T>(path: string, flags: string, act: (file: Awaited<ReturnType<typeof open>>) => Promise<T>): Promise<T> {
  const file = await open(path, flags);
  try {
    return await act(file);
  } finally {
    await file.close();
  }
}

function bytesOf(path: string) {
  return {
    read: (offset: number, length: number) =>
      transfer(path, 'r', async (file) => {
        const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset);
        return buffer.subarray(0, bytesRead);
      }),
    write: (offset: number, bytes: Uint8Array) =>
      transfer(path, 'r+', async (file) => {
        await file.write(bytes, 0, bytes.length, offset);
      }),
  };
}

initiatorConformance(test, aoePlugin, {
  label: 'aoe on stand-in tools',
  config: async (directory, surroundings) => {
    const segment = new AoeSegment();
    const node = await AoeNode.make({ root: join(directory, 'root'), segment, interfaces: [{ name: 'eth1', mac: '02:00:00:00:00:0a' }] });
    worlds.set(surroundings.instance, { directory, segment, node });
    surroundings.atEnd(async () => {
      node.close();
      await node.settled();
    });
    return { interfaces: ['eth1'] };
  },
  machine: ({ instance, directory }) => {
    const { node } = worldOf(instance);
    return new StandInMachine({ name: 'node1', root: node.root, stateDirectory: join(directory, 'guards'), tools: node.tools });
  },
  makeTarget: async ({ instance, directory }, { sizeBytes, access, initiators }) => {
    const { segment } = worldOf(instance);
    const slot = ++drawn % 250;
    const file = join(directory, `volume-${drawn}`);
    let size = sizeBytes;
    let withdraw = (): void => undefined;
    const start = async (): Promise<void> => {
      await transfer(file, 'a', (handle) => handle.truncate(size));
      withdraw = segment.announce({
        shelf: 1,
        slot,
        path: file,
        file,
        readOnly: access === 'read-only',
        sectors: size / 512,
        masks: initiators.map(macDigits),
        netif: 'eth0',
        serial: `1.${slot}:vs1`,
        pid: 1_000 + drawn,
      });
    };
    await start();
    await worldOf(instance).node.settled();
    return {
      connection: { protocol: 'aoe', key: `e1.${slot}`, shelf: 1, slot, serial: 'vol00000000000000001' },
      bytes: bytesOf(file),
      grow: async (bytes) => {
        size = bytes;
        await truncate(file, bytes);
        withdraw();
        await start();
      },
      stop: async () => withdraw(),
      start,
      remove: async () => withdraw(),
    };
  },
  device: ({ instance }, path): NodeDevice => {
    const { node } = worldOf(instance);
    const key = path.replace('/dev/etherd/', '');
    const real = join(node.root, path);
    // As the kernel does: no device, no I/O; nor with a target that does not answer or, for writes, with a device that is read-only.
    const device = (): { readonly sectors: number; readonly readOnly: boolean } => {
      const found = node.devices.get(key);
      if (found === undefined || found.state !== 'up' || !node.answersNow(key)) throw new Error(`${path}: Input/output error`);
      return found;
    };
    return {
      sizeBytes: device().sectors * 512,
      read: async (offset, length) => {
        device();
        return await bytesOf(real).read(offset, length);
      },
      write: async (offset, bytes) => {
        if (device().readOnly) throw new Error(`${path}: Operation not permitted`);
        await bytesOf(real).write(offset, bytes);
      },
      flush: async () => void device(),
    };
  },
  hold: async ({ instance }, path) => await worldOf(instance).node.hold(path.replace('/dev/etherd/', ''), 'mount'),
  showsSerial: false,
  appearsByItself: true,
  sizeBytes: 256 * 1024,
});
