import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlockStoreConfig, defaultConfiguration, openBlockStore } from '@vbs/core';
import { createServer } from '@vbs/server';
import test, { type ExecutionContext } from 'ava';
import { newFolder, program, start } from '../cli/vbs.js';
import { freePort } from '../conformance/free-port.js';
import { silent } from '../support/store.js';

/** A Nimbus cloud whose list is a file, and a node of the sandbox with the domain of its instance 4. */
async function aCloud(
  t: ExecutionContext,
): Promise<{ readonly configuration: BlockStoreConfig; put(node: string, state: string): Promise<void> }> {
  const dataDirectory = await newFolder(t);
  const list = join(dataDirectory, 'list.json');
  const put = (node: string, state: string): Promise<void> => writeFile(list, JSON.stringify([{ id: '4', node, state }]));
  await put('worker01.example.org', 'Running');
  const usual = defaultConfiguration({ dataDirectory, port: await freePort() });
  const configuration = {
    ...usual,
    plugins: ['@vbs/plugin-file', '@vbs/plugin-nbd', '@vbs/plugin-sandbox', '@vbs/plugin-nimbus'],
    vmmNodes: {
      worker1: { hostnames: ['worker01.example.org'], hypervisor: { plugin: 'sandbox', vms: { 'wrksp-4': {}, 'wrksp-5': {} } } },
    },
    resolvers: { nimbus: { plugin: 'nimbus', commands: { listJson: `cat ${list}` } } },
  } as BlockStoreConfig;
  return { configuration, put };
}

const placed = { vmmHost: 'worker1', instanceId: '4', state: 'attached' };

test('an instance id › embedded, attach-volume takes it, and refuses what is not placed or was terminated', async (t) => {
  const { configuration, put } = await aCloud(t);
  const store = await openBlockStore(configuration, { logger: silent });
  t.teardown(() => store.close());
  const { id: volumeId } = await store.createVolume({ size: '1MiB' }, { wait: true });
  const attach = () => store.attachVolume({ volumeId, instanceId: '4', device: 'xvdb' }, { wait: true });
  await put('', 'Unstaged');
  await t.throwsAsync(attach(), { code: 'FAILED_PRECONDITION' });
  await put('worker01.example.org', 'shutting-down');
  t.like(await t.throwsAsync(attach(), { code: 'NOT_FOUND' }), { context: { reason: 'terminated' } });
  await put('worker01.example.org', 'Running');
  t.like(await attach(), placed);
});

test('an instance id › over REST, attach-volume takes it', async (t) => {
  const { configuration } = await aCloud(t);
  const store = await openBlockStore(configuration, { logger: silent });
  t.teardown(() => store.close());
  const app = await createServer({ store, log: silent });
  t.teardown(() => app.close());
  const { id } = await store.createVolume({ size: '1MiB' }, { wait: true });
  const payload = { instanceId: '4', device: 'xvdb' };
  const { statusCode, payload: text } = await app.inject({ method: 'POST', url: `/v1/volumes/${id}/attachments`, payload });
  t.is(statusCode, 201, text);
  t.like(JSON.parse(text), placed);
});

test('an instance id › on the command line, attach-volume takes it', async (t) => {
  t.timeout(120_000);
  const { configuration } = await aCloud(t);
  const folder = await newFolder(t);
  const file = join(folder, 'vbs.json');
  await writeFile(file, JSON.stringify(configuration));
  const server = start(t, process.execPath, [program, 'serve', '--config', file, '--port', '0']);
  await server.printed(/http:\/\/127\.0\.0\.1:\d+/);
  const run = async (...words: string[]): Promise<ReturnType<typeof JSON.parse>> => {
    const { code, out, err } = await start(t, process.execPath, [program, '--config', file, '--output', 'json', ...words]).ended();
    t.is(code, 0, err);
    return JSON.parse(out);
  };
  const { id } = await run('create-volume', '1MiB');
  t.like(await run('attach-volume', id, 'xvdb', '--instance', '4'), placed);
  t.like(await run('detach-volume', id), { state: 'detached' });
});
