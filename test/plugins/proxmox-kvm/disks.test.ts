import { VbsError } from '@vbs/core';
import test, { type ExecutionContext } from 'ava';
import { call, type Fixture, MiB, makeFixture, request, testBy, ways, whySkipped } from './proxmox-fixture.js';

async function refusal(t: ExecutionContext, act: Promise<unknown>, what?: string): Promise<VbsError> {
  return (await t.throwsAsync(act, { instanceOf: VbsError }, what)) as VbsError;
}

/** What is refused leaves the node as it was. */
async function refusedAndSame(
  t: ExecutionContext,
  { node }: Fixture,
  act: () => Promise<unknown>,
  like: object,
  what?: string,
): Promise<VbsError> {
  const before = node.world.state();
  const error = await refusal(t, act(), what);
  t.like(error, like, what);
  t.deepEqual(node.world.state(), before, what);
  return error;
}

for (const way of ways) {
  testBy(way)(`attachDevice › sets cache, backup and serial, always (stand-in, by ${way})${whySkipped(way)}`, async (t) => {
    const { node, hypervisor, open } = await makeFixture(t, { way });
    const wanted = await request(hypervisor, node);
    await hypervisor.attachDevice(call(), wanted);
    const path = wanted.source.kind === 'block' ? wanted.source.path : '';
    t.is(node.world.load(100).current.get('scsi1'), `${path},backup=0,cache=none,serial=${wanted.serial},size=1M`);
    const { contract } = await open({ config: { cache: 'directsync', iothread: true } });
    const [virtio, ide] = [
      await request(hypervisor, node, { slot: 'virtio0', access: 'read-only' }),
      await request(hypervisor, node, { slot: 'ide1', vmid: 102 }),
    ];
    await contract.attachDevice(call(), virtio);
    await contract.attachDevice(call(), ide);
    t.regex(node.world.load(100).current.get('virtio0') ?? '', /,backup=0,cache=directsync,iothread=1,ro=1,serial=vol0{16}1,size=1M$/);
    t.regex(node.world.load(102).current.get('ide1') ?? '', /,backup=0,cache=directsync,serial=vol0{16}1,size=1M$/);
  });

  testBy(way)(
    `attachDevice › a change that stays pending is taken back, and told why (stand-in, by ${way})${whySkipped(way)}`,
    async (t) => {
      const fixture = await makeFixture(t, { way });
      const { node, hypervisor } = fixture;
      node.world.create(104, { hotplug: 'network,usb' });
      node.world.create(105, { hotplug: '0' });
      for (const [vmid, slot, told] of [
        [100, 'ide3', /ide and sata disks come and go only while the VM is stopped/],
        [100, 'sata0', /ide and sata/],
        [104, 'scsi1', /hotplug of VM 104 is "network,usb"/],
        [105, 'virtio1', /--hotplug disk,network,usb/],
      ] as const) {
        const wanted = await request(hypervisor, node, { vmid, slot });
        const act = (): Promise<unknown> => hypervisor.attachDevice(call(), wanted);
        const error = await refusedAndSame(t, fixture, act, { code: 'FAILED_PRECONDITION', context: { reason: 'not-plugged', slot } });
        t.regex(error.message, told);
      }
    },
  );

  testBy(way)(
    `detachDevice › a removal that stays pending is taken back, and told why (stand-in, by ${way})${whySkipped(way)}`,
    async (t) => {
      const fixture = await makeFixture(t, { way });
      const { node, hypervisor } = fixture;
      const wanted = await request(hypervisor, node, { slot: 'sata1', vmid: 102 });
      await hypervisor.attachDevice(call(), wanted);
      node.world.start(102);
      const act = (): Promise<unknown> => hypervisor.detachDevice(call(), wanted);
      await refusedAndSame(t, fixture, act, { code: 'FAILED_PRECONDITION', context: { reason: 'not-plugged', slot: 'sata1' } });
      node.world.stop(102);
      t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
      t.false(node.world.load(102).current.has('sata1'));
    },
  );

  testBy(way)(
    `attachDevice › refuses an occupied slot, also one that is to hold something (stand-in, by ${way})${whySkipped(way)}`,
    async (t) => {
      const fixture = await makeFixture(t, { way });
      const { node, hypervisor } = fixture;
      const config = node.world.load(100);
      config.current.set('ide2', 'none,media=cdrom');
      config.pending.set('scsi5', `${node.device()},size=1M`);
      node.world.save(100, config);
      for (const slot of ['ide2', 'scsi0', 'scsi5']) {
        const wanted = await request(hypervisor, node, { slot });
        await refusedAndSame(
          t,
          fixture,
          () => hypervisor.attachDevice(call(), wanted),
          { code: 'FAILED_PRECONDITION', context: { slot } },
          slot,
        );
        await refusedAndSame(
          t,
          fixture,
          () => hypervisor.detachDevice(call(), wanted),
          { code: 'FAILED_PRECONDITION', context: { slot } },
          slot,
        );
      }
    },
  );

  testBy(way)(
    `attachDevice › refuses a source that the VM has in another slot, and a disk of another access (stand-in, by ${way})${whySkipped(way)}`,
    async (t) => {
      const fixture = await makeFixture(t, { way });
      const { node, hypervisor } = fixture;
      const wanted = await request(hypervisor, node);
      await hypervisor.attachDevice(call(), wanted);
      const again = { ...wanted, slot: 'scsi2' };
      await refusedAndSame(t, fixture, () => hypervisor.attachDevice(call(), again), {
        code: 'FAILED_PRECONDITION',
        context: { holder: 'scsi1' },
      });
      const readOnly = { ...wanted, access: 'read-only' } as const;
      await refusedAndSame(t, fixture, () => hypervisor.attachDevice(call(), readOnly), { code: 'FAILED_PRECONDITION' });
    },
  );

  testBy(way)(`attachDevice › takes a device of another size out again (stand-in, by ${way})${whySkipped(way)}`, async (t) => {
    const fixture = await makeFixture(t, { way });
    const { node, hypervisor } = fixture;
    const wanted = await request(hypervisor, node, { sizeBytes: 2 * MiB });
    const act = (): Promise<unknown> => hypervisor.attachDevice(call(), wanted);
    await refusedAndSame(t, fixture, act, { code: 'FAILED_PRECONDITION', context: { reason: 'wrong-device' } });
  });

  testBy(way)(
    `every change › what Proxmox VE refuses has its code, and changes nothing (stand-in, by ${way})${whySkipped(way)}`,
    async (t) => {
      const fixture = await makeFixture(t, { way });
      const { node, hypervisor } = fixture;
      const there = await request(hypervisor, node, { slot: 'scsi3' });
      await hypervisor.attachDevice(call(), there);
      const wanted = await request(hypervisor, node);
      const gone = await request(hypervisor, node, { path: '/dev/gone' });
      const set = (key: string, value: string | undefined): void => {
        const config = node.world.load(100);
        if (value === undefined) config.current.delete(key);
        else config.current.set(key, value);
        node.world.save(100, config);
      };
      const both = async (like: object): Promise<void> => {
        await refusedAndSame(t, fixture, () => hypervisor.attachDevice(call(), wanted), like);
        await refusedAndSame(t, fixture, () => hypervisor.detachDevice(call(), there), like);
      };
      set('lock', 'backup');
      await both({ code: 'ABORTED', context: { reason: 'locked' } });
      set('lock', undefined);
      node.world.lockedFiles.add(100);
      await both({ code: 'ABORTED', context: { reason: 'locked' } });
      node.world.lockedFiles.clear();
      await refusedAndSame(t, fixture, () => hypervisor.attachDevice(call(), gone), {
        code: 'FAILED_PRECONDITION',
        context: { reason: 'no-device' },
      });
      const detach = (): Promise<unknown> => hypervisor.detachDevice(call(), there);
      set('protection', '1');
      await refusedAndSame(t, fixture, detach, { code: 'FAILED_PRECONDITION', context: { reason: 'protected' } });
      set('protection', undefined);
      set('bootdisk', 'scsi3');
      const error = await refusedAndSame(t, fixture, detach, { code: 'FAILED_PRECONDITION' });
      t.regex(error.message, /boots from this disk/);
      set('bootdisk', undefined);
      t.deepEqual(await detach(), { result: 'detached' });
    },
  );

  testBy(way)(
    `detachDevice › an entry that is kept of our disk is forgotten, and no other (stand-in, by ${way})${whySkipped(way)}`,
    async (t) => {
      const { node, hypervisor } = await makeFixture(t, { way });
      const wanted = await request(hypervisor, node);
      const config = node.world.load(100);
      config.current.set('unused0', 'local-lvm:vm-100-disk-7');
      config.current.set('unused1', wanted.source.kind === 'block' ? wanted.source.path : '');
      node.world.save(100, config);
      t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
      const { current } = node.world.load(100);
      t.true(current.has('unused0'));
      t.false(current.has('unused1'));
    },
  );

  testBy(way)(
    `listDevices › lists disks of running and stopped VMs, others' too, and nothing of snapshots and notes (stand-in, by ${way})${whySkipped(way)}`,
    async (t) => {
      const { node, hypervisor } = await makeFixture(t, { way });
      const config = node.world.load(102);
      config.current.set('ide2', 'local:iso/debian.iso,media=cdrom,size=600M');
      config.pending.set('sata1', '/dev/coming,ro=0,size=8M');
      config.current.set('virtio2', 'file=/dev/named,ro=1,size=8M');
      config.current.set('efidisk0', 'local-lvm:vm-102-disk-1,size=4M');
      node.world.save(102, config);
      const listed = (await hypervisor.listDevices(call())).filter(({ slot }) => slot !== 'scsi0');
      const { key: vm } = await hypervisor.identifyVm(call(), { vmId: '102' });
      t.deepEqual(
        listed.toSorted((one, other) => (one.slot < other.slot ? -1 : 1)),
        [
          { vm, slot: 'ide2', access: 'read-only', state: 'attached' },
          { vm, slot: 'sata1', source: { kind: 'block', path: '/dev/coming' }, access: 'read-write', state: 'changing' },
          { vm, slot: 'virtio2', source: { kind: 'block', path: '/dev/named' }, access: 'read-only', state: 'attached' },
        ],
      );
    },
  );
}

test('every change › checks what it is given before it runs anything (stand-in)', async (t) => {
  const { node, hypervisor } = await makeFixture(t);
  const good = await request(hypervisor, node);
  const from = node.faults.ran.length;
  const block = (path: string) => ({ source: { kind: 'block', path } }) as const;
  const cases = [
    [{ slot: 'SCSI1' }, 'INVALID_ARGUMENT', 'slot'],
    [{ slot: 'scsi31' }, 'INVALID_ARGUMENT', 'device'],
    [{ slot: 'ide1', access: 'read-only' }, 'INVALID_ARGUMENT', 'slot'],
    [{ slot: 'sata5', access: 'read-only' }, 'INVALID_ARGUMENT', 'slot'],
    [{ serial: 'a,ro=0' }, 'INVALID_ARGUMENT', 'serial'],
    [{ serial: 'x'.repeat(21) }, 'INVALID_ARGUMENT', 'serial'],
    [block('/dev/x,snapshot=1'), 'INVALID_ARGUMENT', 'source.path'],
    [block('local:8'), 'INVALID_ARGUMENT', 'source.path'],
    [block('/etc/passwd'), 'INVALID_ARGUMENT', 'source.path'],
    [block('/dev/a b'), 'INVALID_ARGUMENT', 'source.path'],
    [{ source: { kind: 'connection', connection: { protocol: 'nbd', key: 'k', uri: 'nbd://127.0.0.1' } } }, 'UNSUPPORTED', 'source'],
  ] as const;
  for (const [change, code, field] of cases) {
    const error = await refusal(t, hypervisor.attachDevice(call(), { ...good, ...change }), JSON.stringify(change));
    t.like(error, { code, context: { field } }, JSON.stringify(change));
  }
  t.deepEqual(node.faults.ran.slice(from), []);
});
