import { join } from 'node:path';
import { targetExporterConformance } from '@vbs/conformance';
import nbdPlugin from '@vbs/plugin-nbd';
import { NbdClient } from '@vbs/plugin-nbd/client';
import test from 'ava';
import { makeFileVolume } from '../../conformance/file-volume.js';
import { endDaemons } from './daemon-fixture.js';

// One after the other: each starts a process.
targetExporterConformance(test.serial, nbdPlugin, {
  label: 'nbd, as a process of its own on the real sockets',
  config: (directory, surroundings) => {
    // The daemon outlives the exporter, as it should, and so is ended here.
    surroundings.atEnd(() => endDaemons(join(directory, '..', 'state')));
    return { process: 'own', port: 0 };
  },
  makeVolume: makeFileVolume,
  connect: ({ uri }) => NbdClient.connect({ uri }),
});
