import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Access } from '@vbs/core';
import { NbdServer, type ServerSettings } from '@vbs/plugin-nbd/internal/server/nbd-server.js';
import { ServedExport } from '@vbs/plugin-nbd/internal/server/served-export.js';
import { VolumeFile } from '@vbs/plugin-nbd/internal/server/volume-file.js';
import type { ExecutionContext } from 'ava';
import { type LogLine, makeFile, recordingLog } from './nbd-fixture.js';

/** A server alone, without the exporter around it; gone after the test. */
export interface ServerFixture {
  readonly server: NbdServer;
  readonly directory: string;
  readonly log: LogLine[];
  readonly port: number;
  /** Serves a file as export `name`, a new sparse one of `sizeBytes` unless it is given. */
  serve(name: string, sizeBytes: number, options?: { readonly access?: Access; readonly path?: string }): Promise<ServedExport>;
  uri(name: string): string;
}

/** A folder of the test's own. */
export async function makeDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-nbd-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export async function makeServer(t: ExecutionContext, settings: Partial<ServerSettings> = {}): Promise<ServerFixture> {
  const log: LogLine[] = [];
  const directory = await makeDirectory(t);
  const exports = new Map<string, ServedExport>();
  const table = { find: (name: string) => exports.get(name), names: () => [...exports.keys()] };
  const defaults = { host: '127.0.0.1', port: 0, maxConnections: 64, handshakeTimeLimitMs: 10_000, stallTimeLimitMs: 60_000 };
  const server = await NbdServer.listen({ ...defaults, ...settings }, table, recordingLog(log));
  t.teardown(async () => {
    await server.close(1_000);
    for (const served of exports.values()) await served.file.close();
  });
  return {
    server,
    directory,
    log,
    get port() {
      return Number(new URL(server.origin).port);
    },
    serve: async (name, sizeBytes, { access = 'read-write', path } = {}) => {
      const file = await VolumeFile.open(path ?? (await makeFile(join(directory, `${name}.raw`), sizeBytes)), access, recordingLog(log));
      const served = new ServedExport({ id: name, volumeId: name.replace('exp-', 'vol-'), access, sizeBytes }, file);
      exports.set(name, served);
      return served;
    },
    uri: (name) => server.uriOf(name),
  };
}
