import { randomUUID } from 'node:crypto';
import { rm, truncate } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type ExportableVolume, type Surroundings, targetExporterConformance } from '@vbs/conformance';
import aoePlugin from '@vbs/plugin-aoe';
import test from 'ava';
import { fileIo } from '../../conformance/file-io.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { segmentClient } from '../../stand-ins/vblade/segment-client.js';
import { VbladeStandIn } from '../../stand-ins/vblade/vblade.js';
import { makeFile, node1, node2 } from './exporter-stage.js';

/** One segment for all: each test is a store of its own, with shelves of its own. */
const vblade = new VbladeStandIn();
const machines = new Map<string, StandInMachine>();

/** The same machine for the whole of a test: what it has started outlives an instance. */
function machineOf({ directory, atEnd }: Pick<Surroundings, 'directory' | 'atEnd'>): StandInMachine {
  const known = machines.get(directory);
  if (known !== undefined) return known;
  const made = new StandInMachine({
    root: directory,
    stateDirectory: join(dirname(directory), 'state'),
    tools: vblade.tools,
    daemons: vblade.daemons,
  });
  machines.set(directory, made);
  atEnd(() => made.kill());
  return made;
}

async function makeVolume(surroundings: Surroundings, sizeBytes: number): Promise<ExportableVolume<'block'>> {
  const locator = { kind: 'block', path: `/dev/vg0/${randomUUID()}` } as const;
  const path = join(surroundings.directory, locator.path);
  await makeFile(path, sizeBytes);
  const real = { kind: 'file', path } as const;
  return {
    locator,
    read: (offset, length) => fileIo.read(real, offset, length),
    write: (offset, bytes) => fileIo.write(real, offset, bytes),
    grow: (larger) => truncate(path, larger),
    remove: () => rm(path, { force: true }),
  };
}

targetExporterConformance(test.serial, aoePlugin, {
  label: 'aoe on stand-in tools',
  config: () => ({ interface: 'eth1' }),
  machine: machineOf,
  makeVolume,
  connect: ({ key }) => segmentClient(vblade.segment, { key, mac: node1 }),
  initiators: [node1],
  stranger: node2,
});
