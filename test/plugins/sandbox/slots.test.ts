import { isVbsError } from '@vbs/core';
import test from 'ava';
import { aCall, aSandbox } from './fixture.js';

const legal = test.macro({
  exec: async (t, device: string, slot: string) => {
    const { hypervisor } = await aSandbox(t);
    t.deepEqual(await hypervisor.canonicalSlot(aCall(), { vm: 'vm1', device }), { slot });
  },
  title: (_, device, slot) => `canonicalSlot › takes ${device} for ${slot}`,
});

for (const [device, slot] of [
  ['xvdb', 'xvdb'],
  ['/dev/xvdb', 'xvdb'],
  ['51728', 'xvdb'],
  ['51952', 'xvdp'],
  ['268439552', 'xvdq'],
  ['xvdz', 'xvdz'],
] as const) {
  test(legal, device, slot);
}

const illegal = test.macro({
  exec: async (t, device: string) => {
    const { hypervisor } = await aSandbox(t);
    const error = await t.throwsAsync(hypervisor.canonicalSlot(aCall(), { vm: 'vm1', device }));
    t.true(isVbsError(error) && error.code === 'INVALID_ARGUMENT' && error.context.field === 'device', String(error));
    t.regex(String(error), /xvdb to xvdz/);
    t.true(String(error).length < 300);
  },
  title: (_, device: string) => `canonicalSlot › refuses ${JSON.stringify(device.slice(0, 20))} and tells the legal names`,
});

for (const device of [
  '',
  'xvda',
  'xvdb1',
  '51729',
  'sdb',
  'XVDB',
  'xvdaa',
  'xv db',
  ' xvdb',
  'xvdb\n',
  'xvdb\u0000',
  '/dev/',
  '/dev/../dev/xvdb',
  'dev/xvdb',
  '//dev/xvdb',
  '../xvdb',
  '051728',
  'x'.repeat(200),
]) {
  test(illegal, device);
}

test('canonicalSlot › refuses a slot beyond those of the VM', async (t) => {
  const { hypervisor } = await aSandbox(t, { vms: { small: { slots: 2 } } });
  t.deepEqual(await hypervisor.canonicalSlot(aCall(), { vm: 'small', device: 'xvdc' }), { slot: 'xvdc' });
  const error = await t.throwsAsync(hypervisor.canonicalSlot(aCall(), { vm: 'small', device: 'xvdd' }));
  t.true(isVbsError(error) && error.code === 'INVALID_ARGUMENT');
  t.regex(String(error), /xvdb to xvdc/);
});

const unknownVm = test.macro(async (t, vmId: string) => {
  const { hypervisor } = await aSandbox(t);
  for (const asked of [hypervisor.identifyVm(aCall(), { vmId }), hypervisor.canonicalSlot(aCall(), { vm: vmId, device: 'xvdb' })]) {
    const error = await t.throwsAsync(asked);
    t.true(isVbsError(error) && error.code === 'NOT_FOUND' && error.resource === vmId, String(error));
  }
});
test('identifyVm › knows no VM that is not configured', unknownVm, 'vm9');
test('identifyVm › knows no VM by the name of an object member', unknownVm, 'constructor');

test('identifyVm › answers the name as the key, and whether the VM runs', async (t) => {
  const { hypervisor, vm } = await aSandbox(t);
  t.deepEqual(await hypervisor.identifyVm(aCall(), { vmId: 'vm1' }), { key: 'vm1', running: true });
  t.deepEqual(await hypervisor.identifyVm(aCall(), { vmId: 'off' }), { key: 'off', running: false });
  await vm('vm1').stop();
  t.deepEqual(await hypervisor.identifyVm(aCall(), { vmId: 'vm1' }), { key: 'vm1', running: false });
});
