import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Access, Call, ExportRequest, Instance, LocalMachine, Logger } from '@vbs/core';
import nbdPlugin, { type NbdConfig } from '@vbs/plugin-nbd';
import { NbdClient } from '@vbs/plugin-nbd/client';
import type { ExecutionContext } from 'ava';

export const KiB = 1024;
export const MiB = 1024 * KiB;

/** What was logged, by level. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
}

export function recordingLog(lines: LogLine[]): Logger {
  const at = (level: string) => (_fields: object, message: string) => {
    lines.push({ level, message });
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** A call, aborted by the signal that is given. */
export function call(signal: AbortSignal = new AbortController().signal): Call {
  return { signal, operationId: 'op-00000000000000001', epoch: 1, log: recordingLog([]), progress: () => undefined };
}

/** An instance as the loader would make it; its machine guards nothing. */
export function instance(config: NbdConfig, log: LogLine[] = []): Instance<NbdConfig, 'local'> {
  const machine = { name: 'local', guarded: (_call: Call, _resource: string, act: () => Promise<unknown>) => act() };
  return {
    name: 'vs1/nbd',
    config,
    baseDirectory: tmpdir(),
    stateDirectory: tmpdir(),
    machine: machine as unknown as LocalMachine,
    commands: {} as Instance<NbdConfig, 'local'>['commands'],
    store: { id: '0'.repeat(32), knowsPool: false },
    log: recordingLog(log),
  };
}

export const openExporter = nbdPlugin.provides.targetExporter.open;
export type Exporter = Awaited<ReturnType<typeof openExporter>>;

/** How many are connected to an export; -1 where there is none. */
export async function sessionsOf(exporter: Exporter, exportId: string): Promise<number> {
  return (await exporter.listExports(call())).find((one) => one.exportId === exportId)?.sessions?.length ?? -1;
}

/** A fresh exporter on a free port and a folder for its files, both gone after the test. */
export interface Fixture {
  readonly exporter: Exporter;
  readonly directory: string;
  readonly log: LogLine[];
  readonly port: number;
  /** Makes a sparse file, exports it, answers the request it was exported by. */
  make(exportId: string, sizeBytes: number, access?: Access): Promise<ExportRequest<'file'>>;
  connect(exportId: string): Promise<NbdClient>;
}

export async function makeFixture(t: ExecutionContext, config: NbdConfig = {}): Promise<Fixture> {
  const log: LogLine[] = [];
  const directory = await mkdtemp(join(tmpdir(), 'vbs-nbd-'));
  const exporter = await openExporter(instance({ port: 0, ...config }, log), call());
  t.teardown(async () => {
    await exporter.close?.();
    await rm(directory, { recursive: true, force: true });
  });
  const probe = await makeFile(join(directory, 'probe'), 1);
  const { uri } = await exporter.createExport(call(), exportRequest('exp-probe', probe, 1));
  await exporter.deleteExport(call(), { exportId: 'exp-probe' });
  const port = Number(new URL(uri).port);
  return {
    exporter,
    directory,
    log,
    port,
    make: async (exportId, sizeBytes, access = 'read-write') => {
      const request = exportRequest(exportId, await makeFile(join(directory, `${exportId}.raw`), sizeBytes), sizeBytes, access);
      await exporter.createExport(call(), request);
      return request;
    },
    connect: async (exportId) => {
      const client = await NbdClient.connect({ uri: `nbd://127.0.0.1:${port}/${exportId}` });
      t.teardown(() => client.disconnect());
      return client;
    },
  };
}

export function exportRequest(exportId: string, path: string, sizeBytes: number, access: Access = 'read-write'): ExportRequest<'file'> {
  return {
    exportId,
    volume: { id: exportId.replace('exp-', 'vol-'), sizeBytes, locator: { kind: 'file', path } },
    access,
    serial: 'vol00000000000000001',
  };
}

export async function makeFile(path: string, sizeBytes: number): Promise<string> {
  const file = await open(path, 'w');
  await file.truncate(sizeBytes);
  await file.close();
  return path;
}

/** Bytes that no shift of themselves resembles, by a seed. */
export function pattern(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

export async function until(condition: () => boolean | Promise<boolean>, limitMs = 5_000): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
