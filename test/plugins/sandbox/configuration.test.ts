import { validateInstanceConfig } from '@vbs/core/internal/config/validate-instance-config.js';
import sandbox from '@vbs/plugin-sandbox';
import test from 'ava';

const { hypervisor, cloudResolver } = sandbox.provides;

function validated(schema: object, config: Record<string, unknown>) {
  return validateInstanceConfig(schema, {
    name: 'sandbox/hypervisor',
    path: '/vmmNodes/sandbox/hypervisor',
    plugin: 'sandbox',
    default: false,
    openNetwork: false,
    commands: {},
    timeLimits: {},
    config,
  });
}

test('configuration › admits VMs and fills in what they leave out', (t) => {
  const { config, faults } = validated(hypervisor.configSchema, { vms: { vm1: {}, vm2: { running: false, slots: 4 } } });
  t.deepEqual(faults, []);
  t.deepEqual(config, {
    vms: { vm1: { running: true, slots: 25 }, vm2: { running: false, slots: 4 } },
    withdraw: false,
    ioLimitMs: 10_000,
  });
});

test('configuration › admits a table of instances', (t) => {
  const instances = { 'i-0001': { vmmHost: 'sandbox', vmId: 'vm1' } };
  t.deepEqual(validated(cloudResolver.configSchema, { instances }).faults, []);
});

const refused = test.macro((t, schema: object, config: Record<string, unknown>) => {
  t.is(validated(schema, config).faults.length, 1);
});
test('configuration › refuses a hypervisor without VMs', refused, hypervisor.configSchema, {});
test('configuration › refuses an unknown key', refused, hypervisor.configSchema, { vms: {}, vmz: {} });
test('configuration › refuses an unknown key of a VM', refused, hypervisor.configSchema, { vms: { vm1: { slot: 3 } } });
test('configuration › refuses more slots than there are names', refused, hypervisor.configSchema, { vms: { vm1: { slots: 26 } } });
test('configuration › refuses an instance without a VM', refused, cloudResolver.configSchema, { instances: { 'i-1': { vmmHost: 'a' } } });
test('configuration › refuses an unknown state', refused, cloudResolver.configSchema, {
  instances: { 'i-1': { vmmHost: 'a', vmId: 'b', state: 'off' } },
});
