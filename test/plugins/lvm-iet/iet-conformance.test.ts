import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { targetExporterConformance } from '@vbs/conformance';
import test from 'ava';
import { fileIo } from '../../conformance/file-io.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { IetWorld } from '../../stand-ins/iet/iet-world.js';
import { ietPlugin, node1, portal } from './iet-fixture.js';

for (const kind of ['block', 'file'] as const) {
  const worlds = new Map<string, IetWorld>();
  const worldOf = (directory: string): IetWorld => {
    const world = worlds.get(directory) ?? new IetWorld(directory);
    worlds.set(directory, world);
    return world;
  };
  const byIqn = new Map<string, IetWorld>();

  targetExporterConformance(test, ietPlugin, {
    label: `lvm-iet, ${kind} on stand-in tools`,
    config: (directory) => {
      worldOf(directory);
      return { portal, iqnPrefix: `iqn.2009-11.edu.iu.vbs:${prefixOf(directory, byIqn, worldOf(directory))}` };
    },
    machine: ({ directory }) => {
      const world = worldOf(directory);
      return new StandInMachine({ root: directory, stateDirectory: join(directory, '..', 'state'), tools: world.tools });
    },
    makeVolume: async ({ directory }, sizeBytes) => {
      const world = worldOf(directory);
      const locator = { kind, path: `/dev/vg0/${randomUUID()}` };
      if (kind === 'block') world.makeDevice(locator.path, sizeBytes);
      else world.makeFile(locator.path, sizeBytes);
      const real = { kind: 'file', path: join(directory, locator.path) } as const;
      return {
        locator,
        read: (offset, length) => fileIo.read(real, offset, length),
        write: (offset, bytes) => fileIo.write(real, offset, bytes),
        grow: async () => Promise.reject(new Error('IET cannot grow a LUN')),
        remove: () => rm(real.path, { force: true }),
      };
    },
    connect: async ({ iqn }, { chap }) => {
      const world = byIqn.get(iqn.split(':')[1] ?? '');
      if (world === undefined) throw new Error('nobody listens');
      const credentials = chap === undefined ? {} : { chap: { user: chap.user, password: chap.password.reveal() } };
      return world.login({ iqn, initiator: node1, ...credentials });
    },
    initiators: [node1],
  });
}

/** `connect` is given a connection alone, which must lead to the world of its test. */
function prefixOf(directory: string, byIqn: Map<string, IetWorld>, world: IetWorld): string {
  const name = `c${directory.replace(/[^a-z0-9]/gi, '').toLowerCase()}`;
  byIqn.set(name, world);
  return name;
}
