/** A server of exp-1 and exp-2, files of these names in a folder, in a process of its own, so that its memory and descriptors can be counted; every error that it logs goes to stderr. */
import { join } from 'node:path';
import { NbdServer } from '@vbs/plugin-nbd/internal/server/nbd-server.js';
import { ServedExport } from '@vbs/plugin-nbd/internal/server/served-export.js';
import { VolumeFile } from '@vbs/plugin-nbd/internal/server/volume-file.js';

const [directory = '', certificate, key] = process.argv.slice(2);
const silent = (): void => undefined;
const log = {
  debug: silent,
  info: silent,
  warn: silent,
  error: (fields: object, message: string) => console.error(message, fields),
};
const sizeBytes = 8 * 1024 * 1024;
const exports = new Map<string, ServedExport>();
for (const id of ['exp-1', 'exp-2']) {
  const file = await VolumeFile.open(join(directory, id), 'read-write', log);
  exports.set(id, new ServedExport({ id, volumeId: id, access: 'read-write', sizeBytes }, file));
}
const server = await NbdServer.listen(
  {
    host: '127.0.0.1',
    port: 0,
    maxConnections: 64,
    handshakeTimeLimitMs: 400,
    stallTimeLimitMs: 400,
    ...(certificate !== undefined && key !== undefined && { tls: { certificate, key, mode: 'allowed' } }),
  },
  { find: (name) => exports.get(name), names: () => [...exports.keys()] },
  log,
);
console.log(JSON.stringify({ port: Number(new URL(server.origin).port) }));
