import { targetExporterConformance } from '@vbs/conformance';
import nbdPlugin from '@vbs/plugin-nbd';
import { NbdClient } from '@vbs/plugin-nbd/client';
import test from 'ava';
import { makeFileVolume } from '../../conformance/file-volume.js';
import { freePort } from '../../conformance/free-port.js';

targetExporterConformance(test, nbdPlugin, {
  label: 'nbd, in this process on the real sockets',
  config: async () => ({ port: await freePort() }),
  makeVolume: makeFileVolume,
  connect: ({ uri }) => NbdClient.connect({ uri }),
});
