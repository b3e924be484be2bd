import assert from 'node:assert/strict';
import { refused, refusedField } from '../kit/expect.js';
import type { Proof } from '../kit/test.js';
import type { HypervisorStage } from './stage.js';

export const machineAndSlotProofs: readonly Proof<HypervisorStage>[] = [
  {
    method: 'identifyVm',
    promise: 'answers one key for one VM, and another for another',
    prove: async (stage) => {
      const [first, second] = stage.options.vms;
      const key = await stage.key(first);
      assert.ok(key !== '');
      assert.equal(await stage.key(first), key);
      assert.notEqual(await stage.key(second), key);
    },
  },
  {
    method: 'identifyVm',
    promise: 'tells whether the VM runs',
    prove: async (stage) => {
      for (const vmId of stage.options.vms) {
        const { running } = await stage.hypervisor.identifyVm(stage.call(), { vmId });
        assert.equal(running, stage.scene.has('hotplug'), `${vmId}: VMs of the set-up run exactly where hotplug is declared`);
      }
    },
  },
  {
    method: 'identifyVm',
    promise: 'answers NOT_FOUND for a VM that the node does not have',
    prove: async (stage) => {
      const [known] = stage.options.vms;
      for (const vmId of ['conformance-no-such-vm', `${known}-`, `../${known}`, '-f', `${known}\n`, '$(reboot)', '']) {
        const codes = vmId === 'conformance-no-such-vm' ? (['NOT_FOUND'] as const) : (['NOT_FOUND', 'INVALID_ARGUMENT'] as const);
        await refused(stage.hypervisor.identifyVm(stage.call(), { vmId }), codes, `identifyVm of ${JSON.stringify(vmId)}`);
      }
    },
  },
  {
    method: 'canonicalSlot',
    promise: 'answers a name that is canonical itself, one for one slot',
    prove: async (stage) => {
      const vm = await stage.key(stage.options.vms[0]);
      const [first, second] = [await stage.slot(vm, stage.options.devices[0]), await stage.slot(vm, stage.options.devices[1])];
      assert.notEqual(first, second);
      assert.equal(await stage.slot(vm, first), first);
      assert.equal(await stage.slot(vm, second), second);
      for (const alias of stage.options.aliases) assert.equal(await stage.slot(vm, alias), first, `${alias} and ${first}`);
    },
  },
  {
    method: 'canonicalSlot',
    promise: 'refuses what is no slot with INVALID_ARGUMENT of the field device',
    prove: async (stage) => {
      const vm = await stage.key(stage.options.vms[0]);
      const [device] = stage.options.devices;
      const hostile = [
        '',
        ' ',
        `${device} `,
        ` ${device}`,
        `${device}\n`,
        `../${device}`,
        `/dev/../${device}`,
        '/',
        '-f',
        `${device},mode=w`,
      ];
      for (const illegal of [...hostile, `${device}\0`, '$(reboot)', 'x'.repeat(5_000), ...stage.options.illegalDevices]) {
        await refusedField(
          stage.slot(vm, illegal),
          'INVALID_ARGUMENT',
          'device',
          `canonicalSlot of ${JSON.stringify(illegal.slice(0, 60))}`,
        );
      }
    },
  },
  {
    method: 'getIdentity',
    needs: 'identity',
    promise: 'answers the names under which the VMs connect',
    prove: async (stage) => {
      for (const protocol of stage.scene.opened.provider.opens) {
        const { initiators } = await stage.hypervisor.getIdentity(stage.call(), { protocol });
        assert.ok(initiators.length > 0 && initiators.every((name) => name !== ''), `no identity for ${protocol}`);
      }
    },
  },
];
