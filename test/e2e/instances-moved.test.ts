import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlockStoreConfig, defaultConfiguration, openBlockStore } from '@vbs/core';
import { createServer } from '@vbs/server';
import test, { type ExecutionContext } from 'ava';
import { newFolder, program, start } from '../cli/vbs.js';
import { freePort } from '../conformance/free-port.js';
import { silent } from '../support/store.js';

const list = (...vms: readonly { readonly id: string; readonly node: string }[]): string =>
  JSON.stringify(vms.map((vm) => ({ ...vm, state: 'Running' })));
const here = list({ id: '4', node: 'worker01.example.org' });
const moved = list({ id: '4', node: 'worker02.example.org' });

interface Cloud {
  readonly configuration: BlockStoreConfig;
  /** From the next resolve on: what nimbus-admin prints at the first one, and at all later ones. */
  put(first: string, later: string): Promise<void>;
}

/** A Nimbus of which instance 4 moves between two resolves, and two nodes that both have a domain of its name. */
async function aCloud(t: ExecutionContext): Promise<Cloud> {
  const dataDirectory = await newFolder(t);
  const path = (name: string): string => join(dataDirectory, name);
  const tool = `#!/bin/sh\nif [ -e ${path('asked')} ]; then cat ${path('later')}; else : > ${path('asked')}; cat ${path('first')}; fi\n`;
  await writeFile(path('nimbus-admin'), tool);
  await chmod(path('nimbus-admin'), 0o755);
  const put = async (first: string, later: string): Promise<void> => {
    await writeFile(path('first'), first);
    await writeFile(path('later'), later);
    await rm(path('asked'), { force: true });
  };
  await put(here, moved);
  const node = (hostname: string) => ({ hostnames: [hostname], hypervisor: { plugin: 'sandbox', vms: { 'wrksp-4': {} } } });
  const configuration = {
    ...defaultConfiguration({ dataDirectory, port: await freePort() }),
    plugins: ['@vbs/plugin-file', '@vbs/plugin-nbd', '@vbs/plugin-sandbox', '@vbs/plugin-nimbus'],
    vmmNodes: { worker1: node('worker01.example.org'), worker2: node('worker02.example.org') },
    resolvers: { nimbus: { plugin: 'nimbus', commands: { listJson: path('nimbus-admin') } } },
  } as BlockStoreConfig;
  return { configuration, put };
}

async function openCloud(t: ExecutionContext) {
  const cloud = await aCloud(t);
  const store = await openBlockStore(cloud.configuration, { logger: silent });
  t.teardown(() => store.close());
  const { id: volumeId } = await store.createVolume({ size: '1MiB' }, { wait: true });
  const attach = () => store.attachVolume({ volumeId, instanceId: '4', device: 'xvdb' }, { wait: true });
  const isTakenBack = async (): Promise<void> => {
    t.is((await store.describeVolumes({ ids: [volumeId] })).items[0]?.state, 'available');
    t.true((await store.describeAttachments()).items.every(({ state }) => state === 'detached'));
    t.deepEqual((await store.reconcile()).differences, []);
  };
  return { ...cloud, store, volumeId, attach, isTakenBack };
}

test('E3 › embedded › an instance that moves to another host during an attach is noticed, the disk taken out, and the next attach follows it', async (t) => {
  const { attach, isTakenBack } = await openCloud(t);
  t.like(await t.throwsAsync(attach(), { code: 'FAILED_PRECONDITION' }), { context: { reason: 'instance-moved', instanceId: '4' } });
  await isTakenBack();
  t.like(await attach(), { vmmHost: 'worker2', vmId: 'wrksp-4', state: 'attached' });
});

test('E3 › embedded › an instance that is gone when its disk was attached is noticed, and the disk taken out', async (t) => {
  const { put, attach, isTakenBack } = await openCloud(t);
  await put(here, '[]');
  t.like(await t.throwsAsync(attach(), { code: 'NOT_FOUND' }), { context: { reason: 'unknown' } });
  await isTakenBack();
});

test('E3 › embedded › an instance of another resolver is found, though Nimbus is asked first', async (t) => {
  const { configuration } = await aCloud(t);
  const table = { plugin: 'sandbox', instances: { 'web-1': { vmmHost: 'worker2', vmId: 'wrksp-4' } } };
  const store = await openBlockStore({ ...configuration, resolvers: { ...configuration.resolvers, table } } as BlockStoreConfig, {
    logger: silent,
  });
  t.teardown(() => store.close());
  const { id: volumeId } = await store.createVolume({ size: '1MiB' }, { wait: true });
  t.like(await store.attachVolume({ volumeId, instanceId: 'web-1', device: 'xvdb' }, { wait: true }), { vmmHost: 'worker2' });
});

test('E3 › REST › an instance that moves to another host during an attach is 409, and the disk taken out', async (t) => {
  const { store, volumeId, isTakenBack } = await openCloud(t);
  const app = await createServer({ store, log: silent });
  t.teardown(() => app.close());
  const request = { method: 'POST', url: `/v1/volumes/${volumeId}/attachments`, payload: { instanceId: '4', device: 'xvdb' } } as const;
  const refused = await app.inject(request);
  t.is(refused.statusCode, 409, refused.payload);
  t.like(refused.json(), { code: 'FAILED_PRECONDITION', context: { reason: 'instance-moved' } });
  await isTakenBack();
  const again = await app.inject(request);
  t.is(again.statusCode, 201, again.payload);
  t.like(again.json(), { vmmHost: 'worker2' });
});

test('E3 › command line › an instance that moves to another host during an attach ends with 1, and the disk taken out', async (t) => {
  t.timeout(120_000);
  const { configuration } = await aCloud(t);
  const file = join(await newFolder(t), 'vbs.json');
  await writeFile(file, JSON.stringify(configuration));
  const server = start(t, process.execPath, [program, 'serve', '--config', file, '--port', '0']);
  await server.printed(/http:\/\/127\.0\.0\.1:\d+/);
  const run = (...words: string[]) => start(t, process.execPath, [program, '--config', file, '--output', 'json', ...words]).ended();
  const told = async (...words: string[]): Promise<ReturnType<typeof JSON.parse>> => {
    const { code, out, err } = await run(...words);
    t.is(code, 0, err);
    return JSON.parse(out);
  };
  const { id } = await told('create-volume', '1MiB');
  const refused = await run('attach-volume', id, 'xvdb', '--instance', '4');
  t.is(refused.code, 1, refused.out);
  t.like(JSON.parse(refused.err), { code: 'FAILED_PRECONDITION', context: { reason: 'instance-moved', instanceId: '4' } });
  t.is((await told('describe-volumes', id)).items[0].state, 'available');
  t.deepEqual((await told('reconcile')).differences, []);
  t.like(await told('attach-volume', id, 'xvdb', '--instance', '4'), { vmmHost: 'worker2' });
});
