import type { AttachDeviceRequest } from '@vbs/core';
import test from 'ava';
import { call, type Host, MiB, makeFixture, refused, request, toolstacks, xmCommands } from './xen-fixture.js';

/** Something that Xen attaches, or refuses, and leaves an entry behind. */
interface Bad {
  readonly title: string;
  readonly make: (host: Host) => Partial<AttachDeviceRequest> & { readonly path?: string };
  readonly code: string;
  readonly reason: string;
}

const bad: readonly Bad[] = [
  {
    title: 'a device with nothing behind it',
    make: (host) => ({ path: host.device({ sizeBytes: 0 }).path }),
    code: 'FAILED_PRECONDITION',
    reason: 'wrong-device',
  },
  {
    title: 'a device of another size',
    make: (host) => ({ path: host.device({ sizeBytes: 2 * MiB }).path }),
    code: 'FAILED_PRECONDITION',
    reason: 'wrong-device',
  },
  {
    title: 'a read-only device for writing',
    make: (host) => ({ path: host.device({ readOnly: true }).path }),
    code: 'FAILED_PRECONDITION',
    reason: 'wrong-device',
  },
  {
    title: 'a device that Dom0 has mounted',
    make: (host) => {
      const { path, device } = host.device();
      device.mounted = 'rw';
      return { path };
    },
    code: 'FAILED_PRECONDITION',
    reason: 'in-use',
  },
  {
    title: 'a device that is not there',
    make: () => ({ path: '/dev/disk/by-path/gone' }),
    code: 'FAILED_PRECONDITION',
    reason: 'no-device',
  },
  {
    title: 'a guest that wants no disk',
    make: (host) => {
      host.world.named('vm1').takes = false;
      return {};
    },
    code: 'FAILED_PRECONDITION',
    reason: 'guest-busy',
  },
];

const leavesNothing = test.macro<[Bad, Readonly<Record<string, string>>]>(async (t, { make, code, reason }, commands) => {
  const { host, hypervisor } = await makeFixture(t, { commands });
  const neighbour = request(host, { vm: 'vm2' });
  await hypervisor.attachDevice(call(), neighbour);
  const before = host.disks();
  const wanted = request(host, make(host));
  for (let time = 0; time < 2; time++) {
    await refused(t, hypervisor.attachDevice(call(), wanted), { code, context: { reason } });
    t.deepEqual(host.disks(), before);
  }
});
for (const [tool, commands] of toolstacks) {
  for (const one of bad) test(`attachDevice › refuses ${one.title}, and leaves nothing (stand-in ${tool})`, leavesNothing, one, commands);
}

test('attachDevice › refuses a device that another VM writes, whose disk stays (stand-in)', async (t) => {
  for (const [, commands] of toolstacks) {
    const { host, hypervisor } = await makeFixture(t, { commands });
    const theirs = request(host, { vm: 'vm2' });
    await hypervisor.attachDevice(call(), theirs);
    const before = host.disks();
    for (const access of ['read-write', 'read-only'] as const) {
      const error = await refused(t, hypervisor.attachDevice(call(), request(host, { source: theirs.source, access })), {
        code: 'FAILED_PRECONDITION',
      });
      t.is(error.context.reason, 'in-use');
    }
    t.deepEqual(host.disks(), before);
    t.is((await host.world.disk('vm2', 'xvdb').read(0, 512)).length, 512);
  }
});

test('attachDevice › read-only disks of one device may be in two VMs (stand-in)', async (t) => {
  const { host, hypervisor } = await makeFixture(t);
  const first = request(host, { access: 'read-only' });
  await hypervisor.attachDevice(call(), first);
  await hypervisor.attachDevice(call(), { ...first, attachmentId: 'att-0000000000000beef', vm: 'vm2' });
  t.deepEqual(
    (await hypervisor.listDevices(call())).map(({ vm, access, state }) => [vm, access, state]),
    [
      ['vm1', 'read-only', 'attached'],
      ['vm2', 'read-only', 'attached'],
    ],
  );
});

test('attachDevice › refuses one source in two slots of a VM, which Xen allows (stand-in)', async (t) => {
  const { host, hypervisor } = await makeFixture(t);
  const wanted = request(host);
  await hypervisor.attachDevice(call(), wanted);
  await refused(t, hypervisor.attachDevice(call(), { ...wanted, slot: 'xvdc' }), {
    code: 'FAILED_PRECONDITION',
    context: { slot: 'xvdc', holder: 'xvdb' },
  });
  t.is(host.disks().length, 1);
});

for (const [first, second] of [
  ['xvdc', 'hdc'],
  ['sdc', 'xvdc'],
  ['xvda1', 'xvda'],
] as const) {
  test(`attachDevice › refuses ${second} where the VM has ${first}: a Linux guest has one name for both (stand-in)`, async (t) => {
    const { host, hypervisor } = await makeFixture(t);
    await host.machine.run(call(), ['xl', 'block-attach', 'vm1', `phy:${host.device().path}`, first, 'w']);
    await refused(t, hypervisor.attachDevice(call(), request(host, { slot: second })), {
      code: 'FAILED_PRECONDITION',
      context: { slot: second, holder: first },
    });
    t.is(host.disks().length, 1);
  });
}

test('attachDevice › 20 disks of two VMs at once: none is crossed (stand-in)', async (t) => {
  const { host, hypervisor } = await makeFixture(t);
  const all = Array.from({ length: 20 }, (_, index) =>
    request(host, { vm: index % 2 === 0 ? 'vm1' : 'vm2', slot: `xvd${'bcdefghijk'[index >> 1]}` }),
  );
  await Promise.all(all.map((one) => hypervisor.attachDevice(call(), one)));
  const listed = await hypervisor.listDevices(call());
  for (const { vm, slot, source } of all) t.deepEqual(listed.find((disk) => disk.vm === vm && disk.slot === slot)?.source, source);
  await Promise.all(all.map(async (one) => t.deepEqual(await hypervisor.detachDevice(call(), one), { result: 'detached' })));
  t.deepEqual(host.disks(), []);
});

const illegal: readonly (readonly [what: string, change: Partial<AttachDeviceRequest>, code: string])[] = [
  ['a path with a comma', { source: { kind: 'block', path: '/dev/x,xvdz,w' } }, 'INVALID_ARGUMENT'],
  ['a path with a space', { source: { kind: 'block', path: '/dev/x y' } }, 'INVALID_ARGUMENT'],
  ['a relative path', { source: { kind: 'block', path: 'loop0' } }, 'INVALID_ARGUMENT'],
  ['a domain id for a name', { vm: '1' }, 'INVALID_ARGUMENT'],
  ['a name that is an option', { vm: '-f' }, 'INVALID_ARGUMENT'],
  ['a slot by another name', { slot: '/dev/xvdb' }, 'INVALID_ARGUMENT'],
  ['a partition', { slot: 'xvdb1' }, 'INVALID_ARGUMENT'],
  ['a connection', { source: { kind: 'connection', connection: { protocol: 'nbd', key: 'nbd://h/e', uri: 'nbd://h/e' } } }, 'UNSUPPORTED'],
];
for (const [what, change, code] of illegal) {
  test(`attachDevice › refuses ${what} before anything is run (stand-in)`, async (t) => {
    const { host, hypervisor } = await makeFixture(t);
    const wanted = { ...request(host), ...change };
    await refused(t, hypervisor.attachDevice(call(), wanted), { code });
    await refused(t, hypervisor.detachDevice(call(), wanted), { code });
    t.deepEqual(host.faults.ran, []);
  });
}

test('attachDevice › a VM that xend knows and that does not run cannot take a disk now (stand-in xm)', async (t) => {
  const { host, hypervisor } = await makeFixture(t, { commands: xmCommands });
  host.world.managed.push('vm9');
  t.deepEqual(await hypervisor.identifyVm(call(), { vmId: 'vm9' }), { key: 'vm9', running: false });
  await refused(t, hypervisor.attachDevice(call(), request(host, { vm: 'vm9' })), { code: 'FAILED_PRECONDITION' });
});
