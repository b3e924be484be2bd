import { volumeBackendConformance } from '@vbs/conformance';
import filePlugin from '@vbs/plugin-file';
import test from 'ava';
import { fileIo } from '../../conformance/file-io.js';
import { xfsPools } from '../../conformance/xfs-pools.js';
import { noXfs } from './mounts.js';

const withReflink = 'file, reflinks on the real XFS';

volumeBackendConformance(test, filePlugin, {
  label: 'file on the real file system',
  config: (directory) => ({ directory }),
  io: fileIo,
});

if (noXfs === '') {
  const newPool = xfsPools(test);
  volumeBackendConformance(test, filePlugin, { label: withReflink, config: async () => ({ directory: await newPool() }), io: fileIo });
} else {
  test.skip(`volumeBackend (${withReflink}) (skipped: ${noXfs})`, () => undefined);
}
