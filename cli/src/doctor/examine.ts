import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Configuration } from '@vbs/core';
import type { Client } from '../client/client.js';
import { toProblem } from '../client/failure.js';
import { configurationOf, connectTo, openEmbedded, parseEndpoint, runningSocket, socketName } from '../client/find-client.js';
import type { Context } from '../context/context.js';
import { checkDirectory, checkNode } from './environment.js';
import { type Finding, fault, note, ok } from './finding.js';
import { checkStore } from './store.js';

/** Looks at everything that can be wrong, and goes on behind what is. */
export async function examine(context: Context): Promise<readonly Finding[]> {
  const findings: Finding[] = [checkNode(process.versions.node)];
  const { endpoint } = context.settings;
  if (endpoint !== undefined) {
    findings.push(...(await attempt('server', () => examineServer(() => connectTo(parseEndpoint(endpoint)), context))));
    return findings;
  }
  const read = await readConfigured(context);
  findings.push(...read.findings);
  if (read.configuration === null) return findings;
  const { stateDirectory } = read.configuration;
  const directory = await attempt('state directory', () => checkDirectory(stateDirectory));
  findings.push(...directory);
  findings.push(...(await attempt('server', () => examineState(stateDirectory, read.configuration, directory, context))));
  return findings;
}

async function examineState(
  stateDirectory: string,
  configuration: Configuration | null,
  directory: readonly Finding[],
  context: Context,
): Promise<readonly Finding[]> {
  const socket = await runningSocket(stateDirectory);
  if (socket !== null) return examineServer(() => connectTo({ kind: 'unix', path: socket }), context);
  const stale = existsSync(join(stateDirectory, socketName))
    ? [note('server', `none runs; ${socketName} is left over from one that was killed`, 'the next `vbs serve` replaces it')]
    : [note('server', 'none runs on this store', 'start one with `vbs serve` if there should be one')];
  const filename = configuration?.database.client === 'sqlite3' ? configuration.database.filename : undefined;
  if (filename !== undefined && !existsSync(filename))
    return [
      ...stale,
      note('store', `${filename} is not there yet: tools, pools and routes were not looked at`, 'start `vbs serve`, then run doctor again'),
    ];
  if (directory.some(({ state, check }) => state === 'fault' && check === 'state directory'))
    return [...stale, note('store', 'was not opened, because of the faults of its directory', 'mend these, then run doctor again')];
  const found = await attempt('store', () =>
    examineClient(async () => openEmbedded(context.settings, await context.log(), context.signal), context),
  );
  return [...stale, ...found];
}

async function examineServer(connect: () => Promise<Client>, context: Context): Promise<readonly Finding[]> {
  return examineClient(connect, context, 'server');
}

async function examineClient(open: () => Promise<Client>, context: Context, what = 'store'): Promise<readonly Finding[]> {
  const client = await open();
  try {
    const found = await checkStore(client, context.signal);
    return [ok(what, `${client.name} answers`), ...found];
  } finally {
    await client.close();
  }
}

async function readConfigured({ settings }: Context): Promise<{ configuration: Configuration | null; findings: readonly Finding[] }> {
  const check = 'configuration';
  try {
    const { readConfiguration } = await import('@vbs/core');
    const configuration = await readConfiguration(await configurationOf(settings));
    const told = settings.config === undefined ? `the embedded default of ${settings.dataDirectory}` : `${settings.config} has no fault`;
    return { configuration, findings: [ok(check, told)] };
  } catch (error) {
    const { code, detail, context = {} } = toProblem(error);
    const faults = Array.isArray(context.faults) ? (context.faults as { path: string; message: string }[]) : [];
    if (faults.length === 0) return { configuration: null, findings: [fault(check, `${code}: ${detail}`, 'mend the file')] };
    return { configuration: null, findings: faults.map(({ path, message }) => fault(check, `${path}: ${message}`, 'mend the file')) };
  }
}

/** What fails whole is a finding too; an interrupted doctor ends. */
async function attempt(check: string, look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof Error && error.name === 'Interrupted') throw error;
    const { code, detail, context = {} } = toProblem(error);
    const faults = Array.isArray(context.faults) ? (context.faults as { path: string; message: string }[]) : [];
    if (faults.length > 0) return faults.map(({ path, message }) => fault(check, `${path}: ${message}`, 'mend the configuration'));
    return [fault(check, `${code}: ${detail}`, 'do what the message says, then run doctor again')];
  }
}
