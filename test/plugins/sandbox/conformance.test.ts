import { cloudResolverConformance, hypervisorConformance } from '@vbs/conformance';
import { createSandbox } from '@vbs/plugin-sandbox';
import test from 'ava';
import { makeNbdSource } from '../../conformance/nbd-source.js';
import { guestsOf } from '../../conformance/sandbox-guest.js';

const sandbox = createSandbox();

hypervisorConformance(test, sandbox.plugin, {
  label: 'sandbox on the real NBD exporter',
  config: () => ({ vms: { vm1: {}, vm2: {} } }),
  vms: ['vm1', 'vm2'],
  devices: ['xvdb', 'xvdc'],
  aliases: ['/dev/xvdb', '51728'],
  illegalDevices: ['xvda', 'xvdb1', 'sdb', '/dev/sdb', '0', '51729'],
  makeSource: makeNbdSource,
  ...guestsOf(sandbox),
});

const running = [
  { instanceId: 'i-1', vmmHost: 'sandbox', vmId: 'vm1' },
  { instanceId: 'i-2', vmmHost: 'sandbox', vmId: 'vm2' },
] as const;

cloudResolverConformance(test, sandbox.plugin, {
  label: 'sandbox on the real static table',
  config: () => ({
    instances: {
      'i-1': { vmmHost: 'sandbox', vmId: 'vm1' },
      'i-2': { vmmHost: 'sandbox', vmId: 'vm2' },
      'i-new': { vmmHost: 'sandbox', vmId: 'vm1', state: 'pending' },
      'i-old': { vmmHost: 'sandbox', vmId: 'vm1', state: 'terminated' },
    },
  }),
  running,
  unknown: 'i-none',
  terminated: 'i-old',
  notPlaced: 'i-new',
});
