import {
  definePlugin,
  type ErrorCode,
  isVbsError,
  type Machine,
  type Plugin,
  targetExporter,
  type VbsError,
  volumeBackend,
} from '@vbs/core';
import type { InstanceConfiguration } from '@vbs/core/internal/config/configuration.js';
import { openInstance } from '@vbs/core/internal/plugin/open-instance.js';
import test, { type ExecutionContext } from 'ava';
import { fakeLocalMachine, fakeMachine, instanceConfiguration, memoryLog, noKeys, temporaryDirectory, testCall } from './fixtures.js';

interface Seen {
  instance?: { readonly name: string; readonly baseDirectory: string; readonly config: unknown; readonly store: unknown };
  closed: number;
}

const base = {
  createVolume: async () => ({ id: 'v', sizeBytes: 1, locator: { kind: 'file', path: '/v' } }) as const,
  deleteVolume: async () => undefined,
  listVolumes: async () => [],
  getCapacity: async () => ({ totalBytes: 3, availableBytes: 2, provisionedBytes: 1 }),
  markEpoch: async () => ({ epoch: 1 }),
};
const withSnapshots = {
  createSnapshot: async () => ({ id: 's', volumeId: 'v', sizeBytes: 1 }),
  deleteSnapshot: async () => undefined,
  listSnapshots: async () => [],
  populateVolume: async () => undefined,
};
const whole = { ...base, ...withSnapshots, granularityBytes: 512, snapshotKind: 'independent' };

/** A backend whose opened object is `opened`, whatever its type says. */
function backendOf(opened: unknown, seen: Seen = { closed: 0 }, machine: 'any' | 'local' = 'any'): Plugin {
  return definePlugin({
    name: 'test',
    apiVersion: 1,
    provides: {
      volumeBackend: volumeBackend({
        configSchema: {
          type: 'object',
          properties: { directory: { type: 'string' }, mode: { type: 'integer', default: 384 } },
          required: ['directory'],
          additionalProperties: false,
        },
        capabilities: ['snapshot', 'live-snapshot', 'thin'],
        locators: ['file'],
        machine,
        commands: { make: 'mk <id> <mode>' },
        open: async (instance) => {
          seen.instance = instance;
          const close = async (): Promise<void> => {
            seen.closed += 1;
          };
          return (typeof opened === 'object' && opened !== null ? { close, ...opened } : opened) as never;
        },
      }),
    },
  });
}

async function open(
  t: ExecutionContext,
  plugin: Plugin,
  { machine = fakeMachine(), ...overrides }: Partial<InstanceConfiguration> & { readonly machine?: Machine } = {},
) {
  return openInstance(plugin, 'volumeBackend', {
    ...(await options(t)),
    configuration: instanceConfiguration({
      name: 'vs1/fast',
      path: '/volumeServers/vs1/backends/fast',
      config: { directory: '/d' },
      ...overrides,
    }),
    machine,
  });
}

async function options(t: ExecutionContext) {
  return {
    name: 'vs1/fast',
    machine: fakeMachine(),
    store: { id: 'a'.repeat(32), knowsPool: true },
    baseDirectory: '/base',
    stateDirectory: await temporaryDirectory(t),
    log: memoryLog().log,
    graceMs: 50,
  };
}

async function refused(t: ExecutionContext, code: ErrorCode, promise: Promise<unknown>): Promise<VbsError> {
  const error = await t.throwsAsync(promise);
  if (!isVbsError(error)) throw new Error('no VbsError', { cause: error });
  t.is(error.code, code, error.message);
  return error;
}

test('openInstance › hands over the validated configuration with its defaults, and opens behind the layers', async (t) => {
  const seen: Seen = { closed: 0 };
  const opened = await open(t, backendOf(whole, seen));
  t.like(seen.instance, {
    name: 'vs1/fast',
    baseDirectory: '/base',
    config: { directory: '/d', mode: 384 },
    store: { id: 'a'.repeat(32), knowsPool: true },
  });
  t.like(opened, { name: 'vs1/fast', kind: 'volumeBackend', pluginName: 'test', ownedHere: true });
  t.deepEqual([...opened.capabilities], ['snapshot', 'live-snapshot', 'thin']);
  t.deepEqual(opened.traits, { granularityBytes: 512, snapshotKind: 'independent' });
  t.is((await opened.contract.getCapacity(testCall())).availableBytes, 2);
  await refused(t, 'UNSUPPORTED', opened.contract.extendVolume(testCall(), { id: 'v', sizeBytes: 1 }));
  await opened.close();
  await opened.close();
  t.is(seen.closed, 1);
});

test('openInstance › an instance may have fewer capabilities than its provider', async (t) => {
  const opened = await open(t, backendOf({ ...base, granularityBytes: 1, capabilities: new Set(['thin']) }));
  t.deepEqual([...opened.capabilities], ['thin']);
  t.deepEqual(opened.traits as object, { granularityBytes: 1 });
  await refused(t, 'UNSUPPORTED', opened.contract.listSnapshots(testCall()));
});

test('openInstance › capabilities that commands withdraw are taken off, with what is worth nothing without them', async (t) => {
  const opened = await open(t, backendOf(whole), { commands: { make: { pattern: 'mk <id>', withdraws: ['snapshot'] } } });
  t.deepEqual([...opened.capabilities], ['thin']);
  t.deepEqual(opened.traits as object, { granularityBytes: 512 });
});

const lacking = test.macro(async (t: ExecutionContext, opened: unknown, ...expected: RegExp[]) => {
  const seen: Seen = { closed: 0 };
  const error = await refused(t, 'PLUGIN_INVALID', open(t, backendOf(opened, seen)));
  const faults = error.context.faults as readonly string[];
  t.is(faults.length, expected.length, faults.join('\n'));
  for (const [index, pattern] of expected.entries()) t.regex(faults[index] ?? '', pattern);
  t.is(seen.closed, typeof opened === 'object' && opened !== null ? 1 : 0);
});
test(
  'openInstance › every missing method is told, with the capability that obliges to it',
  lacking,
  { ...base, ...withSnapshots, createVolume: undefined, populateVolume: 'text', granularityBytes: 1, snapshotKind: 'independent' },
  /createVolume is missing/,
  /populateVolume is missing, to which the capability snapshot obliges/,
);
test(
  'openInstance › an instance cannot have more than its provider',
  lacking,
  { ...whole, capabilities: new Set(['thin', 'extend']), snapshotKind: undefined },
  /extend, which the manifest does not declare/,
);
test('openInstance › capabilities that are no Set', lacking, { ...whole, capabilities: ['thin'] }, /must be a Set/);
test(
  'openInstance › snapshotKind is missing',
  lacking,
  { ...whole, snapshotKind: undefined },
  /snapshotKind must be 'independent' or 'needs-volume'/,
);
test(
  'openInstance › snapshotKind without snapshots',
  lacking,
  { ...whole, capabilities: new Set(['thin']) },
  /snapshotKind must be absent/,
);
test('openInstance › a granularity that is none', lacking, { ...whole, granularityBytes: 0 }, /granularityBytes/);
test('openInstance › nothing was opened', lacking, undefined, /must answer an object/);

test('openInstance › every fault of the configuration is told before anything is opened', async (t) => {
  const seen: Seen = { closed: 0 };
  const error = await refused(
    t,
    'CONFIG_INVALID',
    open(t, backendOf(whole, seen, 'local'), {
      config: { directroy: '/d', mode: 'x' },
      commands: { mkae: { pattern: 'mk', withdraws: [] } },
    }),
  );
  const faults = error.context.faults as readonly { path: string; message: string }[];
  t.deepEqual(faults.map(({ path }) => path).sort(), [
    '/volumeServers/vs1/backends/fast',
    '/volumeServers/vs1/backends/fast/commands/mkae',
    '/volumeServers/vs1/backends/fast/directroy',
    '/volumeServers/vs1/backends/fast/mode',
  ]);
  t.regex(error.message, /works only on the machine of this process/);
  t.is(seen.instance, undefined);
});

test('openInstance › a provider of this machine opens on it', async (t) => {
  const opened = await open(t, backendOf(whole, { closed: 0 }, 'local'), { machine: fakeLocalMachine() });
  t.true(opened.ownedHere);
});

test('openInstance › a kind that the plugin does not provide is a fault of the configuration', async (t) => {
  const plugin = definePlugin({
    name: 'only-exports',
    apiVersion: 1,
    provides: {
      targetExporter: targetExporter({
        configSchema: noKeys,
        capabilities: [],
        protocol: 'nbd',
        accepts: ['file'],
        lifetime: 'daemon',
        machine: 'any',
        open: async () => {
          throw new Error('not here');
        },
      }),
    },
  });
  const error = await refused(t, 'CONFIG_INVALID', open(t, plugin));
  t.regex(error.message, /only-exports provides no volumeBackend; it provides targetExporter/);
});

function exporterOf(opened: object): Plugin {
  const never = async (): Promise<never> => {
    throw new Error('not in this test');
  };
  const methods = { createExport: never, deleteExport: never, listExports: never, ensureExports: never };
  return definePlugin({
    name: 'exports',
    apiVersion: 1,
    provides: {
      targetExporter: targetExporter({
        configSchema: noKeys,
        capabilities: [],
        protocol: 'nbd',
        accepts: ['file'],
        lifetime: 'daemon',
        machine: 'any',
        open: async () => ({ ...methods, ...opened }) as never,
      }),
    },
  });
}

const exporterTraits = test.macro(async (t: ExecutionContext, traits: object, ...faults: readonly string[]) => {
  const opening = openInstance(exporterOf(traits), 'targetExporter', {
    ...(await options(t)),
    configuration: instanceConfiguration({ name: 'vs1/x' }),
  });
  if (faults.length === 0) {
    t.deepEqual((await opening).traits as object, traits);
  } else {
    t.deepEqual((await refused(t, 'PLUGIN_INVALID', opening)).context.faults, faults);
  }
});
const space = { space: 'e1', first: 1, last: 9 };
test('openInstance › an exporter tells what it listens on and its addresses', exporterTraits, { reach: 'network', addresses: space });
test('openInstance › an exporter without addresses has none', exporterTraits, { reach: 'loopback' });
test(
  'openInstance › an exporter must tell what it listens on',
  exporterTraits,
  { addresses: space },
  "reach must be 'loopback' or 'network'",
);
test(
  'openInstance › an exporter with faulty traits is told of every one',
  exporterTraits,
  { reach: 'anywhere', addresses: { ...space, last: 0 } },
  "reach must be 'loopback' or 'network'",
  'addresses must have a space (text) and first and last, whole numbers with first not above last',
);

test('openInstance › the time limits of the configuration hold', async (t) => {
  const opened = await open(t, backendOf({ ...whole, listVolumes: () => new Promise(() => undefined) }), {
    timeLimits: { listVolumes: 20 },
  });
  const error = await refused(t, 'DEADLINE_EXCEEDED', opened.contract.listVolumes(testCall()));
  t.is(error.context.limitMs, 20);
});
