import { setTimeout as pause } from 'node:timers/promises';
import { MetadataStore } from '@vbs/core/internal/metadata/metadata-store.js';
import { otherProcesses } from '@vbs/core/internal/metadata/processes.js';
import { ProcessLease } from '@vbs/core/internal/workflow/process-lease.js';
import test from 'ava';
import { newTables } from '../metadata/fixture.js';

const leaseMs = 900;
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

test.serial('safety B3 › transactions of the journal that queue for longer than the lease renew it themselves', async (t) => {
  const database = await newTables(t);
  const store = new MetadataStore(database, { now: () => Date.now() });
  const lease = new ProcessLease(store, { id: 'process-1', identity: '{}', endpoint: null }, { leaseMs }, silent);
  await lease.start();
  const { lapsed } = lease;
  const ended: boolean[] = [];
  // All asked for at once: what renews the lease by time waits behind them.
  const acts = Array.from({ length: 40 }, () =>
    lease.transaction(async ({ trx }) => {
      await pause(leaseMs / 15);
      const [seen] = await otherProcesses(trx, database.dialect, 'process-2');
      ended.push(seen?.expired ?? true);
    }),
  );
  await Promise.all(acts);
  t.false(lapsed.aborted, 'this process stopped work that it still held');
  t.is(lease.lapsed, lapsed);
  t.deepEqual(new Set(ended), new Set([false]), 'the lease was over for others');
  await lease.end({ callsStillRun: false });
});
