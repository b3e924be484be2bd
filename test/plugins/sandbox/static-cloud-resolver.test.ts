import { isVbsError } from '@vbs/core';
import { createSandbox } from '@vbs/plugin-sandbox';
import test from 'ava';
import { aCall, anInstance } from './fixture.js';

function aResolver() {
  const instances = {
    'i-0001': { vmmHost: 'sandbox', vmId: 'vm1' },
    'i-0002': { vmmHost: 'sandbox', vmId: 'vm2', state: 'running' },
    'i-0003': { vmmHost: 'sandbox', vmId: 'vm3', state: 'pending' },
    'i-0004': { vmmHost: 'sandbox', vmId: 'vm4', state: 'terminated' },
  } as const;
  return createSandbox().plugin.provides.cloudResolver.open(anInstance('static', { instances }), aCall());
}

test('resolveInstance › answers where a running instance is', async (t) => {
  const resolver = await aResolver();
  t.deepEqual(await resolver.resolveInstance(aCall(), { instanceId: 'i-0001' }), { instanceId: 'i-0001', vmmHost: 'sandbox', vmId: 'vm1' });
  t.deepEqual(await resolver.resolveInstance(aCall(), { instanceId: 'i-0002' }), { instanceId: 'i-0002', vmmHost: 'sandbox', vmId: 'vm2' });
});

const refused = test.macro(async (t, instanceId: string, code: string, reason?: string) => {
  const error = await t.throwsAsync((await aResolver()).resolveInstance(aCall(), { instanceId }));
  t.true(isVbsError(error) && error.code === code && error.context.reason === reason, String(error));
});
test('resolveInstance › does not find an unknown instance', refused, 'i-9999', 'NOT_FOUND', 'unknown');
test('resolveInstance › does not find an instance by the name of an object member', refused, 'constructor', 'NOT_FOUND', 'unknown');
test('resolveInstance › does not find a terminated instance', refused, 'i-0004', 'NOT_FOUND', 'terminated');
test('resolveInstance › refuses a pending instance', refused, 'i-0003', 'FAILED_PRECONDITION', undefined);

test('listInstances › answers the instances that have a place', async (t) => {
  const places = await (await aResolver()).listInstances(aCall());
  t.deepEqual(
    places.map(({ instanceId }) => instanceId),
    ['i-0001', 'i-0002'],
  );
});
