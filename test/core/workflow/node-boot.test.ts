import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import pLimit from 'p-limit';
import { orphans } from '../../support/world/agreement.js';
import { FaultDirector } from '../../support/world/fault-director.js';
import { type Fault, faultKinds } from '../../support/world/faults.js';
import { World } from '../../support/world/world.js';
import { openWorldStore, untilQuiet } from '../../support/world/world-store.js';
import { restoreAfterBoot } from './scenarios.js';
import { tryCase } from './try-case.js';

async function inStore<T>(work: (opened: Awaited<ReturnType<typeof openWorldStore>>, director: FaultDirector) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-boot-'));
  const director = new FaultDirector();
  const opened = await openWorldStore(directory, new World(join(directory, 'world'), { faults: director.source }));
  try {
    return await work(opened, director);
  } finally {
    await opened.store.close();
    await rm(directory, { recursive: true, force: true });
  }
}

test('a node that was booted again › its attachments are put back, whatever fails meanwhile', async (t) => {
  t.timeout(120_000);
  const attempt = (faults: readonly Fault[]) =>
    inStore(async (opened, director) => {
      const { wrong } = await tryCase(opened, director, restoreAfterBoot, { name: 'boot', faults });
      const left = await orphans(opened.metadata, opened.world);
      return [...wrong, ...left].map((what) => `${faults.map(({ method, kind }) => `${method} ${kind}`).join() || 'none'}: ${what}`);
    });
  const methods = ['identifyVm', 'ensureExports', 'listExports', 'connect', 'attachDevice'];
  const faults = methods.flatMap((method) => faultKinds.map((kind): readonly Fault[] => [{ method, nth: 1, kind }]));
  const limit = pLimit(6);
  t.deepEqual((await Promise.all([[], ...faults].map((one) => limit(() => attempt(one))))).flat(), []);
});

test('a node that was booted again without a VM › the attachment of that VM is detached, with the reason', async (t) => {
  t.timeout(60_000);
  const directory = await mkdtemp(join(tmpdir(), 'vbs-boot-'));
  const { store, world, metadata } = await openWorldStore(directory, new World(join(directory, 'world')));
  t.teardown(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });
  const { id: volumeId } = await store.createVolume({ size: '8KiB' }, { wait: true });
  const { exportId } = await store.attachVolume({ volumeId, vmmHost: 'node', vmId: 'vm', device: 'xvdb' }, { wait: true });
  world.connections.remove(exportId ?? '');
  world.devices.remove('vm.xvdb');
  world.settings.put('gone-vm', 'yes');
  world.settings.put('boot-id', 'second-boot');
  for (let tries = 0; tries < 400 && (await store.describeVolumes()).items[0]?.state !== 'available'; tries += 1) await pause(25);
  await untilQuiet(store);
  const [attachment] = (await store.describeAttachments({ volumeId })).items;
  t.is(attachment?.state, 'detached');
  t.regex(attachment?.reason ?? '', /the VM vm is gone from node/);
  t.deepEqual(await orphans(metadata, world), []);
});
