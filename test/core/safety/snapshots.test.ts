import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { gate, MiB, newDirectory, until } from '../../support/store.js';
import { deaf, hookedStore, operationOf, unhappy, volumeServers, wait } from './fixture.js';

test('C2 › a snapshot that takes effect after its failure was answered becomes an error, and is removed', async (t) => {
  const directory = await newDirectory(t);
  const going = gate();
  let acted = false;
  const { store, volume } = await hookedStore(
    t,
    async (intercepted) => {
      if (intercepted.method !== 'createSnapshot') return intercepted.go();
      await going.opened;
      const answer = await deaf(intercepted);
      acted = true;
      return answer;
    },
    { directory, configuration: volumeServers(directory, { backend: { createSnapshot: 150 } }) },
  );
  t.teardown(going.open);
  const { id: volumeId } = await volume(MiB);
  const { operationId, error } = await unhappy((options) => store.createSnapshot({ volumeId }, options));
  t.is(error.code, 'DEADLINE_EXCEEDED');
  t.is((await operationOf(store, operationId))?.state, 'stuck');
  t.false(acted);
  going.open();
  await until('an end', async () => !['running', 'stuck'].includes((await operationOf(store, operationId))?.state ?? ''));
  t.true(acted);
  t.is((await operationOf(store, operationId))?.state, 'failed');
  const [snapshot] = (await store.describeSnapshots()).items;
  t.is(snapshot?.state, 'error');
  t.deepEqual(await store.reconcile(), { differences: [], unseen: [] });
  const names = await readdir(join(directory, 'pool'), { recursive: true });
  t.false(names.some((name) => name.includes(snapshot?.id ?? '-')));
  await store.deleteSnapshot({ snapshotId: snapshot?.id ?? '' }, wait);
});
