import { type ErrorCode, isVbsError, VbsError } from '@vbs/core';
import { openDelegates } from '@vbs/core/internal/delegate/open-delegates.js';
import test, { type ExecutionContext } from 'ava';
import { memoryLog, temporaryDirectory, testCall } from '../plugin/fixtures.js';
import { configurationOf, named, newScript, type Outline, testPlugin, testServices } from './fixtures.js';

const whole: Outline = {
  servers: { vs1: { backends: { fast: { plugin: 'd', default: true } }, exporters: { nbd: { plugin: 'p' }, iet: { plugin: 'd' } } } },
  nodes: { n1: { initiators: { nbd: { plugin: 'd' } }, hypervisor: { plugin: 'p' } } },
  resolvers: { cloud: { plugin: 'd' } },
};

async function world(t: ExecutionContext, outline: Outline = whole) {
  const script = newScript();
  const plugins = named(
    testPlugin('d', script),
    testPlugin('p', script, { lifetime: 'process', opens: ['nbd'], capabilities: [], reach: 'loopback' }),
    testPlugin('here', script, { machine: 'local' }),
    testPlugin('open', script, { capabilities: [] }),
    testPlugin('open-process', script, { capabilities: [], lifetime: 'process' }),
    testPlugin('loopback', script, { capabilities: [], reach: 'loopback' }),
  );
  const configuration = configurationOf(await temporaryDirectory(t), outline);
  return { script, plugins, configuration };
}

async function refused(t: ExecutionContext, code: ErrorCode, promise: Promise<unknown>) {
  const error = await t.throwsAsync(promise);
  if (!isVbsError(error)) throw new Error('no VbsError', { cause: error });
  t.is(error.code, code, error.message);
  return { error, faults: (error.context.faults ?? []) as readonly { path: string; message: string }[] };
}

test('openDelegates › opens everything, by name and in the order of the configuration', async (t) => {
  const { script, plugins, configuration } = await world(t);
  const delegates = await openDelegates(configuration, plugins, testServices());
  const server = delegates.volumeServers.get('vs1');
  t.deepEqual([...(server?.backends.keys() ?? [])], ['vs1/fast']);
  t.deepEqual([...(server?.exporters.keys() ?? [])], ['vs1/nbd', 'vs1/iet']);
  t.true(server?.backends.get('vs1/fast')?.isDefault);
  t.false(server?.exporters.get('vs1/iet')?.openNetwork);
  const node = delegates.vmmNodes.get('n1');
  t.is(node?.hypervisor.name, 'n1/hypervisor');
  t.deepEqual([...(node?.initiators.keys() ?? [])], ['n1/nbd']);
  t.deepEqual([...delegates.resolvers.keys()], ['cloud']);
  t.deepEqual(delegates.openedBackends, ['vs1/fast']);
  t.is(script.events.length, 6);
  t.deepEqual(await node?.hypervisor.contract.listDevices(testCall()), []);
  await delegates.close();
});

test('openDelegates › nothing configured is no failure', async (t) => {
  const { plugins, configuration } = await world(t, {});
  const delegates = await openDelegates(configuration, plugins, testServices());
  t.is(delegates.volumeServers.size + delegates.vmmNodes.size + delegates.resolvers.size, 0);
  await delegates.close();
});

test('openDelegates › an instance is told whether the store knows its pool (safety D1)', async (t) => {
  const { script, plugins, configuration } = await world(t, { servers: { vs1: { backends: { a: { plugin: 'd' }, b: { plugin: 'd' } } } } });
  const services = testServices({ store: { id: 'b'.repeat(32), knownPools: new Set(['vs1/a']) } });
  await (await openDelegates(configuration, plugins, services)).close();
  t.deepEqual(
    [...script.knowsPool],
    [
      ['vs1/a', true],
      ['vs1/b', false],
    ],
  );
});

test('openDelegates › opens all instances at once', async (t) => {
  const { script, plugins, configuration } = await world(t);
  const waiting: (() => void)[] = [];
  for (const name of ['vs1/fast', 'vs1/nbd', 'vs1/iet', 'n1/nbd', 'n1/hypervisor', 'cloud']) {
    script.on.set(
      `open ${name}`,
      () =>
        new Promise((resolve) => {
          // Each waits for the last: one after the other they would never open.
          waiting.push(resolve);
          if (waiting.length === 6) for (const go of waiting) go();
        }),
    );
  }
  const delegates = await openDelegates(configuration, plugins, testServices({ openLimitMs: 5_000 }));
  t.is(waiting.length, 6);
  await delegates.close();
});

test('openDelegates › tells every fault of the configuration of all instances before anything opens', async (t) => {
  const { script, plugins, configuration } = await world(t, {
    servers: {
      vs1: {
        ssh: true,
        backends: { fast: { plugin: 'dd' }, slow: { plugin: 'here' } },
        exporters: { x: { plugin: 'd', config: { size: 'big' } } },
      },
    },
    nodes: { n1: { hypervisor: { plugin: 'none-like-it' } } },
    resolvers: { cloud: { plugin: 'd', config: { szie: 1 } } },
  });
  const { faults } = await refused(t, 'CONFIG_INVALID', openDelegates(configuration, plugins, testServices()));
  t.deepEqual(
    faults.map(({ path }) => path),
    [
      '/volumeServers/vs1/backends/fast/plugin',
      '/volumeServers/vs1/backends/slow',
      '/volumeServers/vs1/exporters/x/size',
      '/vmmNodes/n1/hypervisor/plugin',
      '/resolvers/cloud/szie',
    ],
  );
  t.regex(faults[0]?.message ?? '', /did you mean d\?/);
  t.regex(faults[1]?.message ?? '', /works only on the machine of this process/);
  t.regex(faults[3]?.message ?? '', /loaded are: d, p, here, open, open-process, loopback/);
  t.deepEqual(script.events, []);
});

test('openDelegates › a machine that cannot be made is one fault', async (t) => {
  const { plugins, configuration } = await world(t);
  const machines = {
    machine: () => {
      throw new VbsError('UNSUPPORTED', 'machines over SSH come later');
    },
  };
  const { faults } = await refused(t, 'CONFIG_INVALID', openDelegates(configuration, plugins, testServices({ machines })));
  t.deepEqual(
    faults.map(({ path }) => path),
    ['/volumeServers/vs1/machine', '/vmmNodes/n1/machine', '/resolvers'],
  );
});

test('openDelegates › one instance that fails is told as it is, and what was opened is closed', async (t) => {
  const { script, plugins, configuration } = await world(t);
  script.on.set('open vs1/fast', async () => {
    throw new VbsError('UNAVAILABLE', 'the pool is not mounted', { context: { field: 'directory' } });
  });
  const { error } = await refused(t, 'UNAVAILABLE', openDelegates(configuration, plugins, testServices()));
  t.like(error.context, { field: 'directory', instance: 'vs1/fast', plugin: 'd' });
  t.deepEqual(script.events.filter((event) => event.startsWith('close')).sort(), [
    'close cloud',
    'close n1/hypervisor',
    'close n1/nbd',
    'close vs1/iet',
    'close vs1/nbd',
  ]);
});

test('openDelegates › several instances that fail are one CONFIG_INVALID with all of them', async (t) => {
  const { script, plugins, configuration } = await world(t);
  script.on.set('open vs1/fast', async () => {
    throw new VbsError('UNAVAILABLE', 'the pool is not mounted');
  });
  script.on.set('open n1/hypervisor', async () => {
    throw new Error('no socket');
  });
  const { error, faults } = await refused(t, 'CONFIG_INVALID', openDelegates(configuration, plugins, testServices()));
  t.deepEqual(faults, [
    { path: '/volumeServers/vs1/backends/fast', message: 'vs1/fast could not be opened: UNAVAILABLE: the pool is not mounted' },
    { path: '/vmmNodes/n1/hypervisor', message: 'n1/hypervisor could not be opened: INTERNAL: no socket' },
  ]);
  t.true(error.cause instanceof AggregateError && error.cause.errors.length === 2);
});

test('openDelegates › what was opened and cannot be closed after a failed start is logged, and does not hide the failure', async (t) => {
  const { script, plugins, configuration } = await world(t);
  const { log, lines } = memoryLog();
  script.on.set('open vs1/fast', async () => {
    throw new VbsError('UNAVAILABLE', 'the pool is not mounted');
  });
  script.on.set('close vs1/nbd', () => new Promise(() => undefined));
  await refused(t, 'UNAVAILABLE', openDelegates(configuration, plugins, testServices({ log })));
  t.true(lines.some(({ level, fields }) => level === 'error' && JSON.stringify(fields).includes('vs1/nbd did not close within 200 ms')));
});

test('openDelegates › closes hypervisors, then exporters of lifetime process, then the others, each once', async (t) => {
  const { script, plugins, configuration } = await world(t);
  const delegates = await openDelegates(configuration, plugins, testServices());
  script.events.length = 0;
  await Promise.all([delegates.close(), delegates.close()]);
  await delegates.close();
  t.deepEqual(script.events.slice(0, 2), ['close n1/hypervisor', 'close vs1/nbd']);
  t.deepEqual(script.events.slice(2).sort(), ['close cloud', 'close n1/nbd', 'close vs1/fast', 'close vs1/iet']);
});

test('openDelegates › one that does not close keeps no other open, and every failure is told', async (t) => {
  const { script, plugins, configuration } = await world(t);
  const delegates = await openDelegates(configuration, plugins, testServices());
  script.on.set('close n1/hypervisor', () => new Promise(() => undefined));
  script.on.set('close vs1/fast', async () => {
    throw new Error('cannot flush');
  });
  const { error } = await refused(t, 'INTERNAL', delegates.close());
  t.regex(error.message, /n1\/hypervisor did not close within 200 ms.*cannot flush/);
  t.is(script.events.filter((event) => event.startsWith('close')).length, 6);
});

const network = test.macro(async (t: ExecutionContext, plugin: string, openNetwork: boolean, refusedThen: boolean) => {
  const { plugins, configuration } = await world(t, { servers: { vs1: { exporters: { x: { plugin, openNetwork } } } } });
  const opening = openDelegates(configuration, plugins, testServices());
  if (refusedThen) {
    const { faults } = await refused(t, 'CONFIG_INVALID', opening);
    t.is(faults[0]?.path, '/volumeServers/vs1/exporters/x');
    t.regex(faults[0]?.message ?? '', /openNetwork: true/);
  } else {
    const delegates = await opening;
    t.is(delegates.volumeServers.get('vs1')?.exporters.get('vs1/x')?.openNetwork, openNetwork);
    await delegates.close();
  }
});
test('safety E4 › an exporter without acl, chap or tls is refused', network, 'open', false, true);
test('safety E4 › it serves when the configuration says openNetwork', network, 'open', true, false);
test('safety E4 › an exporter with acl serves', network, 'd', false, false);
test('safety E4 › an exporter that listens on loopback alone serves', network, 'loopback', false, false);
test('safety E4 › lifetime process is no reason to listen on a network without acl, chap or tls', network, 'open-process', false, true);
test('safety E4 › an exporter of lifetime process on loopback serves', network, 'p', false, false);

test('safety E4 › an exporter that another store has open is not judged twice', async (t) => {
  const { plugins, configuration } = await world(t, { servers: { vs1: { exporters: { x: { plugin: 'p' } } } } });
  const owner = await openDelegates(configuration, plugins, testServices());
  const other = await openDelegates(configuration, plugins, testServices());
  t.false(other.volumeServers.get('vs1')?.exporters.get('vs1/x')?.ownedHere);
  await other.close();
  await owner.close();
});

test('safety F2 › the boot id is the machine’s, or drawn anew for a hypervisor that lives in this process', async (t) => {
  const { plugins, configuration } = await world(t, {
    nodes: { n1: { ssh: true, hypervisor: { plugin: 'd' } }, n2: { hypervisor: { plugin: 'p' } } },
  });
  const first = await openDelegates(configuration, plugins, testServices());
  const bootIds = async (delegates: typeof first) =>
    Promise.all(['n1', 'n2', 'n2'].map((name) => delegates.vmmNodes.get(name)?.bootId(testCall())));
  const before = await bootIds(first);
  await first.close();
  const second = await openDelegates(configuration, plugins, testServices());
  const after = await bootIds(second);
  await second.close();
  t.is(before[0], 'boot-remote');
  t.is(after[0], 'boot-remote');
  t.regex(before[1] ?? '', /^[0-9a-f-]{36}$/);
  t.is(before[1], before[2]);
  t.not(before[1], after[1]);
});
