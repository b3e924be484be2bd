import { cloudResolverConformance, hypervisorConformance } from '@vbs/conformance';
import { type AttachedDevice, type DeviceSource, VbsError } from '@vbs/core';
import { createSandbox } from '@vbs/plugin-sandbox';
import test from 'ava';
import { breakPlugin, type Defect } from './break-plugin.js';
import { makeNbdSource } from './nbd-source.js';
import { ofSameMethods, runKit } from './run-kit.js';
import { guestsOf } from './sandbox-guest.js';

function run(defect: Defect<'hypervisor'>, wanted?: (title: string) => boolean) {
  const sandbox = createSandbox();
  const plugin = breakPlugin(sandbox.plugin, 'hypervisor', defect);
  return runKit(
    (collect) =>
      hypervisorConformance(collect, plugin, {
        config: () => ({ vms: { vm1: {}, vm2: {} } }),
        vms: ['vm1', 'vm2'],
        devices: ['xvdb', 'xvdc'],
        aliases: ['/dev/xvdb', '51728'],
        illegalDevices: ['xvda'],
        makeSource: makeNbdSource,
        ...guestsOf(sandbox),
        sizeBytes: 128 * 1024,
        settleLimitMs: 2_000,
      }),
    wanted,
  );
}

const placed = { instanceId: 'i-1', vmmHost: 'sandbox', vmId: 'vm1' };

function runResolver(defect: Defect<'cloudResolver'>) {
  const plugin = breakPlugin(createSandbox().plugin, 'cloudResolver', defect);
  return runKit((collect) =>
    cloudResolverConformance(collect, plugin, {
      config: () => ({
        instances: {
          'i-1': { vmmHost: 'sandbox', vmId: 'vm1' },
          'i-new': { vmmHost: 'sandbox', vmId: 'vm1', state: 'pending' },
          'i-old': { vmmHost: 'sandbox', vmId: 'vm1', state: 'terminated' },
        },
      }),
      running: [placed],
      unknown: 'i-none',
      terminated: 'i-old',
      notPlaced: 'i-new',
    }),
  );
}

/** A hypervisor with the defect fails exactly these of the tests of their methods. */
const caught = test.macro({
  title: (told, ...[titles]: readonly [readonly string[], Defect<'hypervisor'>]) =>
    `hypervisorConformance › ${told}: caught by ${titles[0]}`,
  exec: async (t, titles: readonly string[], defect: Defect<'hypervisor'>) => {
    t.timeout(120_000);
    const { failed } = await run(defect, ofSameMethods('hypervisor', titles));
    t.deepEqual([...failed.keys()].sort(), titles.map((title) => `hypervisor › ${title}`).sort());
  },
});

const caughtResolver = test.macro({
  title: (told, ...[titles]: readonly [readonly string[], Defect<'cloudResolver'>]) =>
    `cloudResolverConformance › ${told}: caught by ${titles[0]}`,
  exec: async (t, titles: readonly string[], defect: Defect<'cloudResolver'>) => {
    const { failed } = await runResolver(defect);
    t.deepEqual([...failed.keys()].sort(), titles.map((title) => `cloudResolver › ${title}`).sort());
  },
});

const keyOf = (source: DeviceSource | undefined): string | undefined =>
  source?.kind === 'connection' ? source.connection.key : source?.path;

test.serial('hypervisorConformance › a hypervisor without a defect fails nothing', async (t) => {
  t.timeout(120_000);
  const { failed, passed } = await run({});
  t.deepEqual([...failed], []);
  t.true(passed.length > 30);
});

test.serial('any VM is known', caught, ['identifyVm › answers NOT_FOUND for a VM that the node does not have'], {
  methods: (real) => ({
    identifyVm: (call, { vmId }) => real.identifyVm(call, { vmId }).catch(() => ({ key: vmId, running: true })),
  }),
});

test.serial('every VM runs, or so it says', caught, ['identifyVm › tells whether the VM runs'], {
  methods: (real) => ({ identifyVm: async (call, request) => ({ ...(await real.identifyVm(call, request)), running: false }) }),
});

test.serial(
  'a slot has as many names as it is given',
  caught,
  ['canonicalSlot › answers a name that is canonical itself, one for one slot'],
  {
    methods: (real) => ({
      canonicalSlot: async (call, request) => {
        await real.canonicalSlot(call, request);
        return { slot: request.device };
      },
    }),
  },
);

test.serial('the wrong field is blamed', caught, ['canonicalSlot › refuses what is no slot with INVALID_ARGUMENT of the field device'], {
  methods: (real) => ({
    canonicalSlot: (call, request) =>
      real.canonicalSlot(call, request).catch((error: VbsError) => {
        throw new VbsError(error.code, error.message, { context: { ...error.context, field: 'slot' } });
      }),
  }),
});

test.serial(
  'a taken slot is refused without its name',
  caught,
  ['attachDevice › refuses a slot that holds another source with FAILED_PRECONDITION, and changes nothing'],
  {
    methods: (real) => ({
      attachDevice: (call, request) =>
        real.attachDevice(call, request).catch((error: VbsError) => {
          throw error.code === 'FAILED_PRECONDITION' ? new VbsError(error.code, error.message) : error;
        }),
    }),
  },
);

test.serial('a repeat is refused', caught, ['attachDevice › is idempotent'], {
  methods: (real) => {
    // Who looked in between is no caller that races, nor one that was aborted: those are the matter of other tests.
    let seen: readonly AttachedDevice[] = [];
    return {
      listDevices: async (call) => {
        seen = await real.listDevices(call);
        return seen;
      },
      attachDevice: async (call, request) => {
        if (seen.some(({ source }) => keyOf(source) === keyOf(request.source))) {
          throw new VbsError('FAILED_PRECONDITION', 'attached already', { context: { slot: request.slot } });
        }
        await real.attachDevice(call, request);
      },
    };
  },
});

test.serial(
  'a detach pulls whatever the slot holds',
  caught,
  ['detachDevice › refuses a slot that holds another source with FAILED_PRECONDITION, and leaves its disk'],
  {
    methods: (real) => ({
      detachDevice: async (call, request) => {
        const there = (await real.listDevices(call)).find(({ vm, slot }) => vm === request.vm && slot === request.slot);
        return real.detachDevice(call, there?.source === undefined ? request : { ...request, source: there.source });
      },
    }),
  },
);

test.serial(
  'a disk of an absent VM is detached, whoever has its source',
  caught,
  ['detachDevice › answers detached for an absent VM when no VM has the source, and only then'],
  {
    methods: (real) => ({
      detachDevice: async (call, request) => (request.vm.startsWith('vm') ? real.detachDevice(call, request) : { result: 'detached' }),
    }),
  },
);

test.serial(
  'a detach that the guest refuses is told as done',
  caught,
  ['detachDevice › leaves the disk with a guest that is busy, says so, and has it out once the guest lets go'],
  {
    methods: (real) => ({
      detachDevice: async (call, request) => {
        await real.detachDevice(call, request);
        return { result: 'detached' };
      },
    }),
  },
);

test.serial('a detach pulls the neighbour too', caught, ['detachDevice › leaves the disks of other slots and VMs alone'], {
  methods: (real) => ({
    detachDevice: async (call, request) => {
      const all = await real.listDevices(call);
      for (const { vm, slot, source } of all) {
        if (source !== undefined && keyOf(source) !== keyOf(request.source) && all.length === 3) {
          await real.detachDevice(call, { attachmentId: request.attachmentId, vm, slot, source });
        }
      }
      return real.detachDevice(call, request);
    },
  }),
});

test.serial(
  'the list omits the second VM',
  caught,
  ['listDevices › lists every disk of every VM with its slot, access and, where it tells it, source'],
  {
    methods: (real) => ({ listDevices: async (call) => (await real.listDevices(call)).filter(({ vm }) => vm !== 'vm2') }),
  },
);

test.serial('the guest keeps the old size', caught, ['extendDevice › shows the guest the new size, and keeps its bytes'], {
  methods: () => ({ extendDevice: async (_call, { sizeBytes }) => ({ sizeBytes }) }),
});

test.serial('a frozen guest writes on', caught, ['freezeVm › makes durable what the guest wrote, and holds its writes back until thawVm'], {
  methods: (real) => ({
    freezeVm: async (call, request) => {
      await real.freezeVm(call, request);
      await real.thawVm(call, request);
    },
  }),
});

test.serial('a freeze never ends by itself', caught, ['freezeVm › lets the guest write again by itself when its limit is over'], {
  methods: (real) => ({
    freezeVm: (call, request) => real.freezeVm(call, request.limitMs === 200 ? { ...request, limitMs: 60_000 } : request),
  }),
});

test('cloudResolverConformance › a resolver without a defect fails nothing', async (t) => {
  const { failed, passed } = await runResolver({});
  t.deepEqual([...failed], []);
  t.true(passed.length > 8);
});

test(
  'an unknown instance has no reason',
  caughtResolver,
  ['resolveInstance › answers NOT_FOUND with the reason unknown for an instance that the cloud does not know'],
  {
    methods: (real) => ({
      resolveInstance: (call, request) =>
        real.resolveInstance(call, request).catch((error: VbsError) => {
          throw error.context.reason === 'unknown' ? new VbsError('NOT_FOUND', error.message) : error;
        }),
    }),
  },
);

test(
  'an instance without a host is placed somewhere',
  caughtResolver,
  ['resolveInstance › answers FAILED_PRECONDITION for an instance that is not placed yet'],
  {
    methods: (real) => ({
      resolveInstance: async (call, request) =>
        request.instanceId === 'i-new' ? { ...placed, instanceId: 'i-new' } : real.resolveInstance(call, request),
    }),
  },
);

test(
  'a terminated instance is listed',
  caughtResolver,
  ['listInstances › lists each instance that is placed once, where resolveInstance finds it, and no other'],
  {
    methods: (real) => ({ listInstances: async (call) => [...(await real.listInstances(call)), { ...placed, instanceId: 'i-old' }] }),
  },
);
