/** What node-test.test.ts gives to node:test. */
import test from 'node:test';
import { cloudResolverConformance } from '@vbs/conformance';
import sandboxPlugin from '@vbs/plugin-sandbox';

cloudResolverConformance(test, sandboxPlugin, {
  config: () => ({ instances: { 'i-1': { vmmHost: 'sandbox', vmId: 'vm1' } } }),
  running: [{ instanceId: 'i-1', vmmHost: 'sandbox', vmId: 'vm1' }],
  unknown: 'i-none',
  terminated: null,
  notPlaced: null,
});
