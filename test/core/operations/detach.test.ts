import { type AttachedDevice, isVbsError, VbsError } from '@vbs/core';
import test, { type ExecutionContext } from 'ava';
import { intercepting } from '../../support/intercept.js';
import { MiB, newStore, refusal, type TestStore, until, vmmHost } from '../../support/store.js';

async function attached({ store, volume }: TestStore): Promise<{ readonly volumeId: string; readonly attachmentId: string }> {
  const { id } = await volume(MiB);
  const { id: attachmentId } = await store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  return { volumeId: id, attachmentId };
}

const stateOf = async ({ store }: TestStore, volumeId: string) => (await store.describeVolumes({ ids: [volumeId] })).items[0];

test('detachVolume › of a busy guest is FAILED_PRECONDITION, stays detaching, and is completed when the guest lets go', async (t) => {
  const bench = await newStore(t);
  const { volumeId, attachmentId } = await attached(bench);
  await bench.vm('vm1').hold('xvdb');
  const error = await refusal(t, bench.store.detachVolume({ volumeId }, { wait: true }), 'FAILED_PRECONDITION');
  t.is(error.context.reason, 'guest-busy');
  t.is((await stateOf(bench, volumeId))?.state, 'detaching');
  t.is((await stateOf(bench, volumeId))?.attachments[0]?.state, 'detaching');
  await refusal(t, bench.store.deleteVolume({ volumeId }), 'ABORTED');
  await refusal(t, bench.store.attachVolume({ volumeId, vmmHost, vmId: 'vm2', device: 'xvdb' }), 'ABORTED');
  await bench.vm('vm1').letGo('xvdb');
  await until('available', async () => (await stateOf(bench, volumeId))?.state === 'available');
  const [attachment] = (await bench.store.describeAttachments({ ids: [attachmentId] })).items;
  t.is(attachment?.state, 'detached');
  await bench.store.deleteVolume({ volumeId }, { wait: true });
});

test('detachVolume › of a busy guest says guest-busy on the attachment while it waits', async (t) => {
  const bench = await newStore(t);
  const { volumeId } = await attached(bench);
  await bench.vm('vm1').hold('xvdb');
  await refusal(t, bench.store.detachVolume({ volumeId }, { wait: true }), 'FAILED_PRECONDITION');
  t.is((await stateOf(bench, volumeId))?.attachments[0]?.reason, 'guest-busy');
  await bench.vm('vm1').letGo('xvdb');
});

test('detachVolume › of a busy guest, where the hypervisor withdraws the request, leaves the volume attached', async (t) => {
  const bench = await newStore(t, { hypervisor: { withdraw: true } });
  const { volumeId } = await attached(bench);
  await bench.vm('vm1').hold('xvdb');
  const error = await refusal(t, bench.store.detachVolume({ volumeId }, { wait: true }), 'FAILED_PRECONDITION');
  t.is(error.context.reason, 'guest-busy');
  t.is((await stateOf(bench, volumeId))?.state, 'in-use');
  t.is((await stateOf(bench, volumeId))?.attachments[0]?.state, 'attached');
  t.is((await bench.disk('vm1', 'xvdb').read(0, 512)).length, 512);
  await bench.vm('vm1').letGo('xvdb');
  await bench.store.detachVolume({ volumeId }, { wait: true });
});

test('detachVolume › by force shuts a busy guest out: it reads and writes no more, and the volume is free', async (t) => {
  const bench = await newStore(t);
  const { volumeId } = await attached(bench);
  const disk = bench.disk('vm1', 'xvdb');
  await bench.vm('vm1').hold('xvdb');
  const detached = await bench.store.detachVolume({ volumeId, force: true }, { wait: true });
  t.is(detached.state, 'detached');
  t.regex(detached.reason ?? '', /detach-device/);
  await t.throwsAsync(disk.write(0, Buffer.alloc(512)));
  await t.throwsAsync(disk.read(0, 512));
  t.is((await stateOf(bench, volumeId))?.state, 'available');
  await bench.store.attachVolume({ volumeId, vmmHost, vmId: 'vm2', device: 'xvdb' }, { wait: true });
});

test('detachVolume › by force goes on where a detach is stuck with a busy guest', async (t) => {
  const bench = await newStore(t);
  const { volumeId } = await attached(bench);
  await bench.vm('vm1').hold('xvdb');
  await refusal(t, bench.store.detachVolume({ volumeId }, { wait: true }), 'FAILED_PRECONDITION');
  await until('a forced detach', async () => {
    try {
      return (await bench.store.detachVolume({ volumeId, force: true }, { wait: true })).state === 'detached';
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ABORTED' || (error as { code?: unknown }).code === 'FAILED_PRECONDITION') return false;
      throw error;
    }
  });
  t.like((await bench.store.reconcile()).differences, { length: 1, 0: { kind: 'device', what: 'orphan' } });
  t.is((await bench.store.resetState({ volumeId }, { wait: true })).state, 'available');
});

test('detachVolume › of a node that is said to be dead asks nothing of it, and records who said so', async (t) => {
  const bench = await newStore(t);
  const { volumeId } = await attached(bench);
  const detached = await bench.store.detachVolume({ volumeId, force: true, nodeIsDead: true }, { wait: true });
  t.is(detached.state, 'detached');
  t.regex(detached.reason ?? '', /node was said to be dead/);
  t.is((await stateOf(bench, volumeId))?.state, 'available');
});

test('retryOperation › tries a stuck detach at once, when the guest has let go', async (t) => {
  const bench = await newStore(t, { overrides: { times: { scanMs: 600_000 } } });
  const { volumeId } = await attached(bench);
  await bench.vm('vm1').hold('xvdb');
  const error = await refusal(t, bench.store.detachVolume({ volumeId }, { wait: true }), 'FAILED_PRECONDITION');
  const operationId = String(error.context.operationId);
  t.like((await bench.store.describeOperations({ ids: [operationId] })).items[0], {
    state: 'stuck',
    kind: 'detach-volume',
    step: 'detach-device',
  });
  t.is((await bench.store.retryOperation(operationId)).state, 'stuck');
  await bench.vm('vm1').letGo('xvdb');
  t.is((await bench.store.retryOperation(operationId)).state, 'succeeded');
  t.is((await stateOf(bench, volumeId))?.state, 'available');
  t.is((await bench.store.retryOperation(operationId)).state, 'succeeded');
});

test('abandonOperation › leaves the volume in error; reset-state refuses while the disk is in the VM, and works when it is out', async (t) => {
  const bench = await newStore(t, { overrides: { times: { scanMs: 600_000 } } });
  const { volumeId } = await attached(bench);
  await bench.vm('vm1').hold('xvdb');
  const error = await refusal(t, bench.store.detachVolume({ volumeId }, { wait: true }), 'FAILED_PRECONDITION');
  const operationId = String(error.context.operationId);
  t.is((await bench.store.abandonOperation(operationId)).state, 'failed');
  t.is((await stateOf(bench, volumeId))?.state, 'error');
  await refusal(t, bench.store.abandonOperation(operationId), 'FAILED_PRECONDITION');
  await refusal(t, bench.store.deleteVolume({ volumeId }), 'FAILED_PRECONDITION');
  await refusal(t, bench.store.resetState({ volumeId }, { wait: true }), 'FAILED_PRECONDITION');
  t.is((await stateOf(bench, volumeId))?.state, 'error');
  await bench.vm('vm1').letGo('xvdb');
  await bench.store.detachVolume({ volumeId, force: true }, { wait: true });
  t.is((await stateOf(bench, volumeId))?.state, 'error');
  t.is((await bench.store.resetState({ volumeId }, { wait: true })).state, 'available');
});

test('abandonOperation › while recovery tries the operation again and again ends, or is refused by a code', async (t) => {
  const bench = await newStore(t, { overrides: { times: { scanMs: 1, pauseMs: () => 0 } } });
  const { volumeId } = await attached(bench);
  await bench.vm('vm1').hold('xvdb');
  const error = await refusal(t, bench.store.detachVolume({ volumeId }, { wait: true }), 'FAILED_PRECONDITION');
  const operationId = String(error.context.operationId);
  for (let tries = 0; tries < 60; tries += 1) {
    const outcome: unknown = await bench.store.abandonOperation(operationId).catch((refused: unknown) => refused);
    if (!(outcome instanceof Error)) {
      t.like(outcome, { state: 'failed' });
      return;
    }
    t.true(isVbsError(outcome) && ['ABORTED', 'FAILED_PRECONDITION'].includes(outcome.code), outcome.stack ?? outcome.message);
    await new Promise((resolve) => setTimeout(resolve, tries % 3));
  }
  t.pass('recovery was faster each time');
});

test('detachVolume › by force with bad fields gives no stuck operation up', async (t) => {
  const bench = await newStore(t, { overrides: { times: { scanMs: 600_000 } } });
  const { volumeId } = await attached(bench);
  await bench.vm('vm1').hold('xvdb');
  await refusal(t, bench.store.detachVolume({ volumeId }, { wait: true }), 'FAILED_PRECONDITION');
  await refusal(t, bench.store.detachVolume({ volumeId, force: true, nodeIsDead: 'yes' as never }), 'INVALID_ARGUMENT');
  t.is((await stateOf(bench, volumeId))?.state, 'detaching');
  t.is((await bench.store.describeOperations({ state: 'stuck' })).items.length, 1);
});

test('attachVolume › to a VM that is stopped goes into its slot, and is there when it starts', async (t) => {
  const bench = await newStore(t, { vms: { vm1: { running: false } } });
  await attached(bench);
  await bench.vm('vm1').start();
  t.is((await bench.disk('vm1', 'xvdb').read(0, 512)).length, 512);
});

/** As Xen does it: a disk that the guest has let go of lies in its slot, neither there nor gone, until the hypervisor is asked again. */
async function askedTwice(t: ExecutionContext, attachDevice: (go: () => Promise<unknown>) => Promise<unknown> = (go) => go()) {
  const guest = { isHeld: true, wasAsked: false };
  const bench = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        if (method === 'attachDevice') return await attachDevice(go);
        if (method === 'listDevices' && guest.wasAsked && !guest.isHeld) {
          return ((await go()) as readonly AttachedDevice[]).map((device) => ({ ...device, state: 'changing' }));
        }
        if (method !== 'detachDevice' || (guest.wasAsked && !guest.isHeld)) return await go();
        guest.wasAsked = true;
        return { result: 'requested' };
      }),
  });
  return { bench, guest };
}

test('detachVolume › asks again where the guest has let go of a disk that is not gone by that', async (t) => {
  const { bench, guest } = await askedTwice(t);
  const { volumeId } = await attached(bench);
  await refusal(t, bench.store.detachVolume({ volumeId }, { wait: true }), 'FAILED_PRECONDITION');
  guest.isHeld = false;
  await until('available', async () => (await stateOf(bench, volumeId))?.state === 'available');
  t.throws(() => bench.disk('vm1', 'xvdb'));
});

test('detachVolume › whose disk went out just after the guest was asked lets the hypervisor tidy up: it may keep a password', async (t) => {
  const answers: unknown[] = [];
  const bench = await newStore(t, {
    plugin: (plugin) =>
      intercepting(plugin, async ({ method, go }) => {
        const answer = await go();
        if (method !== 'detachDevice') return answer;
        answers.push(answer);
        return answers.length === 1 ? { result: 'requested' } : answer;
      }),
  });
  const { volumeId } = await attached(bench);
  await bench.store.detachVolume({ volumeId }, { wait: true });
  t.deepEqual(answers, [{ result: 'detached' }, { result: 'detached' }]);
  t.is((await stateOf(bench, volumeId))?.state, 'available');
});

test('attachVolume › that is taken back asks again where the guest has let go of a disk that is not gone by that', async (t) => {
  const { bench, guest } = await askedTwice(t, async (go) => {
    await go();
    throw new VbsError('FAILED_PRECONDITION', 'refused, and the disk is there');
  });
  const { id: volumeId } = await bench.volume(MiB);
  const attach = bench.store.attachVolume({ volumeId, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  await t.throwsAsync(attach, { code: 'FAILED_PRECONDITION' });
  t.true(guest.wasAsked);
  guest.isHeld = false;
  await until('available', async () => (await stateOf(bench, volumeId))?.state === 'available');
  t.throws(() => bench.disk('vm1', 'xvdb'));
});
