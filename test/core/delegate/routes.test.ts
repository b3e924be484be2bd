import { isVbsError } from '@vbs/core';
import { findNode } from '@vbs/core/internal/delegate/find-node.js';
import { openDelegates } from '@vbs/core/internal/delegate/open-delegates.js';
import { findRoute, listRoutes } from '@vbs/core/internal/delegate/routes.js';
import test, { type ExecutionContext } from 'ava';
import { temporaryDirectory } from '../plugin/fixtures.js';
import { configurationOf, named, newScript, type Outline, testPlugin, testServices } from './fixtures.js';

async function delegatesOf(t: ExecutionContext, outline: Outline) {
  const script = newScript();
  const plugins = named(
    testPlugin('files', script),
    testPlugin('nbd-process', script, { lifetime: 'process', capabilities: [], reach: 'loopback' }),
    testPlugin('nbd-daemon', script, { protocol: 'nbd' }),
    testPlugin('nbd-blocks', script, { protocol: 'nbd', accepts: ['block'] }),
    testPlugin('iscsi', script, { protocol: 'iscsi', accepts: ['block', 'file'] }),
    testPlugin('sandbox', script, { lifetime: 'process', opens: ['nbd'] }),
    testPlugin('qemu', script, { opens: ['nbd'] }),
    testPlugin('xen', script),
  );
  const delegates = await openDelegates(configurationOf(await temporaryDirectory(t), outline), plugins, testServices());
  t.teardown(() => delegates.close());
  return delegates;
}

interface Row {
  readonly exporters: readonly string[];
  readonly hypervisor: string;
  readonly initiators?: readonly string[];
  /** Exporter and initiator, or null when there is no route. */
  readonly route: readonly [string, string | null] | null;
}

const byPlugin = (plugins: readonly string[]) => Object.fromEntries(plugins.map((plugin) => [plugin, { plugin }]));

const routed = test.macro(async (t: ExecutionContext, { exporters, hypervisor, initiators = [], route }: Row) => {
  const delegates = await delegatesOf(t, {
    servers: { vs: { backends: { b: { plugin: 'files' } }, exporters: byPlugin(exporters) } },
    nodes: { n: { initiators: byPlugin(initiators), hypervisor: { plugin: hypervisor } } },
  });
  const [listed, ...others] = listRoutes(delegates);
  t.is(others.length, 0);
  t.like(listed, { backend: 'vs/b', node: 'n' });
  const found = listed?.route ?? null;
  t.deepEqual(found === null ? null : [found.exporter.name, found.initiator?.name ?? null], route);
  t.is(listed?.reason === null, route !== null);
});

test('findRoute › the hypervisor opens the protocol itself', routed, {
  exporters: ['nbd-daemon'],
  hypervisor: 'qemu',
  initiators: ['nbd-daemon'],
  route: ['vs/nbd-daemon', null],
});
test('findRoute › an initiator speaks it', routed, {
  exporters: ['iscsi'],
  hypervisor: 'xen',
  initiators: ['nbd-daemon', 'iscsi'],
  route: ['vs/iscsi', 'n/iscsi'],
});
test('findRoute › the first exporter in the order of the configuration', routed, {
  exporters: ['iscsi', 'nbd-daemon'],
  hypervisor: 'qemu',
  initiators: ['iscsi'],
  route: ['vs/iscsi', 'n/iscsi'],
});
test('findRoute › an exporter that does not accept the locator is passed over', routed, {
  exporters: ['nbd-blocks', 'nbd-daemon'],
  hypervisor: 'qemu',
  route: ['vs/nbd-daemon', null],
});
test('findRoute › an exporter whose protocol nobody speaks is passed over', routed, {
  exporters: ['iscsi', 'nbd-daemon'],
  hypervisor: 'qemu',
  route: ['vs/nbd-daemon', null],
});
test('safety F1 › an exporter of lifetime process leads to a hypervisor of lifetime process', routed, {
  exporters: ['nbd-process'],
  hypervisor: 'sandbox',
  route: ['vs/nbd-process', null],
});
test('safety F1 › an exporter of lifetime process leads to no other, not through an initiator either', routed, {
  exporters: ['nbd-process'],
  hypervisor: 'qemu',
  initiators: ['nbd-daemon'],
  route: null,
});
test('findRoute › no exporter', routed, { exporters: [], hypervisor: 'qemu', route: null });
test('findRoute › no protocol in common', routed, { exporters: ['iscsi'], hypervisor: 'qemu', initiators: ['nbd-daemon'], route: null });

test('findRoute › no route is FAILED_PRECONDITION that lists both sides', async (t) => {
  const delegates = await delegatesOf(t, {
    servers: { vs: { backends: { b: { plugin: 'files' } }, exporters: byPlugin(['nbd-blocks', 'iscsi']) } },
    nodes: { n: { initiators: byPlugin(['nbd-daemon']), hypervisor: { plugin: 'xen' } } },
  });
  const server = delegates.volumeServers.get('vs');
  const backend = server?.backends.get('vs/b');
  const node = delegates.vmmNodes.get('n');
  if (server === undefined || backend === undefined || node === undefined) throw new Error('not open');
  const error = t.throws(() => findRoute(server, backend, node));
  if (!isVbsError(error)) throw new Error('no VbsError', { cause: error });
  t.is(error.code, 'FAILED_PRECONDITION');
  t.deepEqual(error.context, {
    reason: 'no-route',
    backend: 'vs/b',
    locators: ['file'],
    exporters: [
      { name: 'vs/nbd-blocks', protocol: 'nbd', accepts: ['block'], lifetime: 'daemon' },
      { name: 'vs/iscsi', protocol: 'iscsi', accepts: ['block', 'file'], lifetime: 'daemon' },
    ],
    node: 'n',
    hypervisor: { name: 'n/hypervisor', opens: [], lifetime: 'daemon' },
    initiators: [{ name: 'n/nbd-daemon', protocol: 'nbd' }],
  });
  for (const name of ['vs/b', 'vs/nbd-blocks', 'vs/iscsi', 'n/hypervisor', 'n/nbd-daemon']) t.true(error.message.includes(name));

  // The volume's own locator decides, where it is known.
  t.is(findRoute(server, backend, node, 'block').exporter.name, 'vs/nbd-blocks');
});

test('listRoutes › every backend to every node', async (t) => {
  const delegates = await delegatesOf(t, {
    servers: {
      vs1: { backends: { a: { plugin: 'files' }, b: { plugin: 'files' } }, exporters: byPlugin(['nbd-daemon']) },
      vs2: { backends: { c: { plugin: 'files' } } },
    },
    nodes: { n1: { hypervisor: { plugin: 'qemu' } }, n2: { hypervisor: { plugin: 'xen' } } },
  });
  t.deepEqual(
    listRoutes(delegates).map(({ backend, node, route }) => `${backend} ${node} ${route === null ? 'none' : route.exporter.name}`),
    ['vs1/a n1 vs1/nbd-daemon', 'vs1/a n2 none', 'vs1/b n1 vs1/nbd-daemon', 'vs1/b n2 none', 'vs2/c n1 none', 'vs2/c n2 none'],
  );
});

test('findNode › by its name or any of its host names, whatever their case', async (t) => {
  const delegates = await delegatesOf(t, {
    nodes: {
      xen1: { hostnames: ['xen1.Example.org', '10.0.0.7'], hypervisor: { plugin: 'xen' } },
      xen2: { hypervisor: { plugin: 'xen' } },
    },
  });
  for (const host of ['xen1', 'XEN1', 'xen1.example.ORG', '10.0.0.7']) t.is(findNode(delegates, host).name, 'xen1');
  t.is(findNode(delegates, 'xen2').name, 'xen2');
  const error = t.throws(() => findNode(delegates, 'xen3'));
  if (!isVbsError(error)) throw new Error('no VbsError', { cause: error });
  t.is(error.code, 'NOT_FOUND');
  t.is(error.resource, 'xen3');
  t.regex(error.message, /"xen3".*xen1 \(xen1\.Example\.org, 10\.0\.0\.7\), xen2/);
  t.throws(() => findNode({ vmmNodes: new Map() }, 'xen1'), { message: /none is configured/ });
});
