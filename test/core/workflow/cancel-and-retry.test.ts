import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { tokens } from '@vbs/core/internal/tokens.js';
import { ProcessLease } from '@vbs/core/internal/workflow/process-lease.js';
import test, { type ExecutionContext } from 'ava';
import { disagreements, orphans } from '../../support/world/agreement.js';
import type { FaultSource } from '../../support/world/faults.js';
import { World, type WorldOptions } from '../../support/world/world.js';
import { openWorldStore, untilQuiet, type WorldStore, type WorldStoreOptions } from '../../support/world/world-store.js';

const wait = { wait: true } as const;

async function open(
  t: ExecutionContext,
  world: WorldOptions,
  options: WorldStoreOptions = {},
): Promise<WorldStore & { readonly directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-cancel-'));
  const opened = await openWorldStore(directory, new World(join(directory, 'world'), world), options);
  t.teardown(async () => {
    await opened.store.close();
    await rm(directory, { recursive: true, force: true });
  });
  return { ...opened, directory };
}

async function allAgrees(t: ExecutionContext, { metadata, world, store }: WorldStore): Promise<void> {
  await untilQuiet(store);
  t.deepEqual([...(await disagreements(metadata, world)), ...(await orphans(metadata, world))], []);
}

/** The first calls of a method have a fault. */
function firstCalls(
  faulty: Readonly<Record<string, readonly (Awaited<ReturnType<FaultSource>> | 'told')[]>>,
  told: () => void = () => undefined,
): FaultSource {
  const seen = new Map<string, number>();
  return async (_call, method) => {
    const count = seen.get(method) ?? 0;
    seen.set(method, count + 1);
    const fault = faulty[method]?.[count];
    if (fault !== undefined) told();
    return fault === 'told' ? undefined : fault;
  };
}

test('cancelOperation › looks what a cancelled call has done, and takes the operation back at once', async (t) => {
  let inCall = (): void => undefined;
  const called = new Promise<void>((resolve) => {
    inCall = resolve;
  });
  // Within the contract's time limits nothing but the cancel ends the call.
  const opened = await open(t, { faults: firstCalls({ connect: ['hangs-until-aborted'] }, () => inCall()) }, { shortLimits: false });
  const { store } = opened;
  const { id: volumeId } = await store.createVolume({ size: '8KiB' }, wait);
  let operationId = '';
  const onOperation = (id: string): void => {
    operationId = id;
  };
  const attaching = store.attachVolume({ volumeId, vmmHost: 'node', vmId: 'vm', device: 'xvdb' }, { wait: true, onOperation });
  await called;
  await store.cancelOperation(operationId);
  await t.throwsAsync(attaching, { code: 'ABORTED', message: 'the operation was cancelled' });
  t.is((await store.describeOperations({ ids: [operationId] })).items[0]?.state, 'failed');
  await allAgrees(t, opened);
});

test('cancelOperation › a stuck operation that is taken up again goes back', async (t) => {
  // Stuck, since nothing tells whether the connection is there; cancelled before it is tried again.
  const faults = firstCalls({ connect: ['unavailable'], listConnections: ['unavailable'] });
  const opened = await open(t, { faults }, { shortLimits: false, times: { pauseMs: () => 1_000 } });
  const { store } = opened;
  const { id: volumeId } = await store.createVolume({ size: '8KiB' }, wait);
  const request = { volumeId, vmmHost: 'node', vmId: 'vm', device: 'xvdb' };
  let operationId = '';
  const onOperation = (id: string): void => {
    operationId = id;
  };
  await t.throwsAsync(store.attachVolume(request, { wait: true, onOperation }), { code: 'UNAVAILABLE' });
  await store.cancelOperation(operationId);
  await untilQuiet(store);
  t.is((await store.describeVolumes()).items[0]?.state, 'available');
  await allAgrees(t, opened);
});

test('recovery › two looks never take one operation from each other, however many are asked for', async (t) => {
  const faults = firstCalls({ createVolume: ['unavailable', 'unavailable', 'told'], listVolumes: ['unavailable', 'unavailable'] });
  const opened = await open(t, { faults }, { shortLimits: false, times: { scanMs: 1, pauseMs: () => 0 } });
  const { store } = opened;
  let operationId = '';
  const onOperation = (id: string): void => {
    operationId = id;
  };
  await t.throwsAsync(store.createVolume({ size: '8KiB' }, { wait: true, onOperation }));
  await Promise.all(Array.from({ length: 20 }, () => store.retryOperation(operationId).catch(() => undefined)));
  await untilQuiet(store);
  const epochs = new Set(opened.world.acts.read().map(({ epoch }) => epoch));
  t.true(epochs.size < 10, `${epochs.size} epochs`);
  await allAgrees(t, opened);
});

/** Its renewals fail until they are let through. */
class LeaseThatLapses extends ProcessLease {
  lets = false;

  override async renew(): Promise<void> {
    if (!this.lets) throw new Error('the database is far away');
    await super.renew();
  }
}

test('a lease that lapsed and came back › nothing is tried again while a call of before has not ended', async (t) => {
  const running: string[] = [];
  let lease: LeaseThatLapses | undefined;
  let calls = 0;
  const opened = await open(
    t,
    {
      guarded: false,
      // The first call takes no notice of the abort, and ends long after the lease came back.
      onCall: async (phase, method) => {
        if (method !== 'createVolume') return;
        if (phase === 'before') {
          calls += 1;
          running.push(`begin ${calls}`);
          if (calls === 1) {
            await pause(3_000);
            running.push('end 1');
          }
        }
      },
    },
    {
      times: { leaseMs: 1_500 },
      shortLimits: true,
      register: (container) =>
        container.register(tokens.lease, {
          useFactory: (from) => {
            lease = new LeaseThatLapses(
              from.resolve(tokens.metadata),
              from.resolve(tokens.process),
              from.resolve(tokens.times),
              from.resolve(tokens.logger),
            );
            return lease;
          },
        }),
    },
  );
  const creating = opened.store.createVolume({ size: '8KiB' }, { wait: true }).catch(() => undefined);
  await pause(1_600);
  if (lease !== undefined) lease.lets = true;
  await creating;
  await untilQuiet(opened.store);
  t.deepEqual(running.slice(0, 2), ['begin 1', 'end 1']);
  await allAgrees(t, opened);
});

test('safety E2 › a connection that was only found, after an unknown outcome, is compared with the volume before a VM gets it', async (t) => {
  const methods: string[] = [];
  const faults: FaultSource = async (_call, method) => {
    methods.push(method);
    return method === 'connect' && methods.filter((one) => one === 'connect').length === 1 ? 'fails-after-effect' : undefined;
  };
  const opened = await open(t, { faults });
  const { store, world } = opened;
  const { id: volumeId } = await store.createVolume({ size: '8KiB' }, wait);
  await store.attachVolume({ volumeId, vmmHost: 'node', vmId: 'vm', device: 'xvdb' }, wait);
  t.deepEqual(
    methods.filter((method) => ['connect', 'attachDevice'].includes(method)),
    ['connect', 'connect', 'attachDevice'],
  );
  t.is(world.devices.list().length, 1);
  await allAgrees(t, opened);
});
