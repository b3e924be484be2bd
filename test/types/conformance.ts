/** Lines that must not compile: each expected error is the mistake that the types catch. Nothing here runs. */
import { test as nodeTest } from 'node:test';
import { cloudResolverConformance, hypervisorConformance, targetExporterConformance, volumeBackendConformance } from '@vbs/conformance';
import file from '@vbs/plugin-file';
import nbd from '@vbs/plugin-nbd';
import { NbdClient } from '@vbs/plugin-nbd/client';
import sandbox from '@vbs/plugin-sandbox';
import ava from 'ava';
import { fileIo } from '../conformance/file-io.js';
import { makeFileVolume } from '../conformance/file-volume.js';

export function right(): void {
  volumeBackendConformance(ava, file, { config: (directory) => ({ directory }), io: fileIo });
  volumeBackendConformance(ava.serial, file, { config: async (directory) => ({ directory }), io: fileIo });
  volumeBackendConformance(nodeTest, file, { config: (directory) => ({ directory }), io: fileIo });
  targetExporterConformance(nodeTest, nbd, {
    config: () => ({ port: 0 }),
    makeVolume: makeFileVolume,
    connect: ({ uri }) => NbdClient.connect({ uri }),
  });
}

export function wrong(): void {
  // @ts-expect-error: the plugin's configuration has no such key
  volumeBackendConformance(ava, file, { config: (directory) => ({ dir: directory }), io: fileIo });
  // @ts-expect-error: the key takes a text
  volumeBackendConformance(ava, file, { config: () => ({ directory: 5 }), io: fileIo });
  // @ts-expect-error: without io no byte can be looked at
  volumeBackendConformance(ava, file, { config: (directory) => ({ directory }) });
  // @ts-expect-error: the plugin provides no backend
  volumeBackendConformance(ava, nbd, { config: () => ({ port: 0 }), io: fileIo });
  // @ts-expect-error: the plugin provides no exporter
  targetExporterConformance(ava, file, {});
  // @ts-expect-error: the plugin provides no hypervisor
  hypervisorConformance(ava, file, {});
  // @ts-expect-error: the plugin provides no resolver
  cloudResolverConformance(ava, nbd, {});
  targetExporterConformance(ava, nbd, {
    config: () => ({ port: 0 }),
    makeVolume: makeFileVolume,
    // @ts-expect-error: the exporter's protocol is nbd, which has no portals
    connect: ({ portals }) => NbdClient.connect({ uri: portals[0] }),
  });
  cloudResolverConformance(ava, sandbox, {
    config: () => ({ instances: {} }),
    // @ts-expect-error: one instance at least must be known
    running: [],
    unknown: 'i-none',
    terminated: null,
    notPlaced: null,
  });
  // @ts-expect-error: a runner takes a title and a body
  volumeBackendConformance((title: number) => title, file, { config: (directory) => ({ directory }), io: fileIo });
}
