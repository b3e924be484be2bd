import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createSshMachine, type Machine } from '@vbs/core';
import ava from 'ava';
import { makeNbdSource } from '../../conformance/nbd-source.js';
import { interceptedMachine } from '../../support/intercepted-machine.js';
import { makeIscsiDisk } from '../../support/libvirt/iscsi-disk.js';
import { makeLoopVolume } from '../../support/libvirt/loop-volume.js';
import { silent } from '../../support/libvirt/open-libvirt.js';
import { sharedGuests, withLibvirt } from '../../support/libvirt/requirements.js';
import { startSshd, withoutSshd } from '../../support/sshd.js';
import { call, makeNode, sizeBytes } from './node-fixture.js';

const real = await withLibvirt('losetup', 'tgtd', 'tgtadm');
const { test, why } = real;
const guests = sharedGuests(real, 'vm1');

test(`safety E3 › a VM is one by name, UUID and id, and an id that it had before means it no more${why}`, async (t) => {
  const { hypervisor, request, loop, takeOut, slots } = await makeNode(t, guests());
  const identify = (vmId: string) => hypervisor.identifyVm(call(), { vmId });
  const id = (await guests().daemon.virsh('domid', 'vm1')).trim();
  const key = await guests().uuid('vm1');
  for (const vmId of ['vm1', key, id]) t.deepEqual(await identify(vmId), { key, running: true });
  const wanted = request(key, await loop());
  await guests().destroy('vm1');
  t.deepEqual(await identify('vm1'), { key, running: false });
  await guests().start('vm1');
  await t.throwsAsync(identify(id), { code: 'NOT_FOUND' });
  // The same VM after all: it was only started anew.
  await hypervisor.attachDevice(call(), wanted);
  t.deepEqual(await slots('vm1'), { live: ['vdb'], config: ['vdb'] });
  await takeOut(wanted);
});

test(`safety E3 › a VM that is removed between two calls › is NOT_FOUND to attach, and its disk is detached${why}`, async (t) => {
  const { hypervisor, request, loop } = await makeNode(t, guests());
  const key = await guests().define('passing');
  const wanted = request(key, await loop());
  await hypervisor.attachDevice(call(), wanted);
  t.like(
    (await hypervisor.listDevices(call())).find(({ vm }) => vm === key),
    { slot: 'vdb', source: wanted.source, state: 'attached' },
  );
  await guests().daemon.virsh('undefine', 'passing');
  await t.throwsAsync(hypervisor.attachDevice(call(), wanted), { code: 'NOT_FOUND' });
  t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
});

test(`safety E3 › a stopped VM › gets its disk in the definition, has it when it starts, and gives it back when it is stopped again${why}`, async (t) => {
  const { hypervisor, request, loop, slots } = await makeNode(t, guests());
  const key = await guests().define('resting');
  t.teardown(() => guests().daemon.virsh('undefine', 'resting'));
  const wanted = request(key, await loop());
  await hypervisor.attachDevice(call(), wanted);
  await hypervisor.attachDevice(call(), wanted);
  t.deepEqual(await slots('resting'), { live: [], config: ['vdb'] });
  await guests().start('resting');
  t.is((await guests().disk('resting', 'vdb')).sizeBytes, sizeBytes);
  await hypervisor.attachDevice(call(), wanted);
  await guests().powerOff('resting');
  t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
  t.deepEqual(await slots('resting'), { live: [], config: [] });
});

test(`a VM without a definition of its own › has its disk as long as it runs${why}`, async (t) => {
  const { hypervisor, request, loop, takeOut } = await makeNode(t, guests());
  const key = await guests().define('transient');
  await guests().start('transient');
  t.teardown(() => guests().daemon.virsh('destroy', 'transient'));
  await guests().daemon.virsh('undefine', 'transient');
  const wanted = request(key, await loop());
  await hypervisor.attachDevice(call(), wanted);
  await hypervisor.attachDevice(call(), wanted);
  t.is((await guests().disk('transient', 'vdb')).sizeBytes, sizeBytes);
  await takeOut(wanted);
  t.deepEqual(
    (await hypervisor.listDevices(call())).filter(({ vm }) => vm === key),
    [],
  );
});

test(`a VM with a saved state › is refused, since its disks stay as they were${why}`, async (t) => {
  const { hypervisor, request, loop, takeOut } = await makeNode(t, guests());
  const key = await guests().uuid('vm1');
  const wanted = request(key, await loop());
  await hypervisor.attachDevice(call(), wanted);
  await guests().disk('vm1', 'vdb');
  guests().agent('vm1').close();
  await guests().daemon.virsh('managedsave', 'vm1');
  try {
    const refused = { code: 'FAILED_PRECONDITION', message: /saved state/ } as const;
    await t.throwsAsync(hypervisor.detachDevice(call(), wanted), refused);
    await t.throwsAsync(hypervisor.attachDevice(call(), request(key, wanted.source, { slot: 'vdc' })), { code: 'FAILED_PRECONDITION' });
    await t.throwsAsync(hypervisor.attachDevice(call(), request(key, await loop(), { slot: 'vdc' })), refused);
  } finally {
    await guests().daemon.virsh('managedsave-remove', 'vm1');
    await takeOut(wanted);
    await guests().start('vm1');
  }
});

test(`a disk that the definition alone has › is neither there nor gone; a repeat puts it in${why}`, async (t) => {
  const { hypervisor, request, loop, slots, takeOut } = await makeNode(t, guests());
  const wanted = request(await guests().uuid('vm1'), await loop());
  await hypervisor.attachDevice(call(), wanted);
  await guests().disk('vm1', 'vdb');
  await guests().daemon.virsh('detach-disk', 'vm1', 'vdb', '--live');
  t.deepEqual(await slots('vm1'), { live: [], config: ['vdb'] });
  t.is((await hypervisor.listDevices(call())).find(({ slot }) => slot === 'vdb')?.state, 'changing');
  await hypervisor.attachDevice(call(), wanted);
  t.deepEqual(await slots('vm1'), { live: ['vdb'], config: ['vdb'] });
  await guests().daemon.virsh('detach-disk', 'vm1', 'vdb', '--live');
  await takeOut(wanted);
  t.deepEqual(await slots('vm1'), { live: [], config: [] });
});

test(`safety A5 › a disk that is on its way out › is not attached again behind its guest's back${why}`, async (t) => {
  const { hypervisor, request, loop, slots, takeOut } = await makeNode(t, guests());
  const wanted = request(await guests().uuid('vm1'), await loop());
  await hypervisor.attachDevice(call(), wanted);
  await guests().disk('vm1', 'vdb');
  await guests().agent('vm1').hold();
  try {
    t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'requested' });
    t.deepEqual(await slots('vm1'), { live: ['vdb'], config: [] }, 'a guest that is started anew does not get it again');
    await t.throwsAsync(hypervisor.attachDevice(call(), wanted), { code: 'FAILED_PRECONDITION', message: /on its way out/ });
  } finally {
    await guests().agent('vm1').letGo();
  }
  await takeOut(wanted);
});

test(`safety A5 › a guest that was asked is not asked again soon, by this process or another: libvirt can crash on it${why}`, async (t) => {
  const { hypervisor, request, loop, open, takeOut } = await makeNode(t, guests());
  const asked: string[] = [];
  const noted = (machine: Machine): Machine =>
    interceptedMachine(machine, {
      run: (given, command, options) => {
        const told = command.map(String).find((word) => word.startsWith('detach-'));
        if (told !== undefined) asked.push(command.map(String).slice(3).join(' '));
        return machine.run(given, command, options);
      },
    });
  const [first, second] = [await open({ machine: noted }), await open({ machine: noted })];
  const wanted = request(await guests().uuid('vm1'), await loop());
  await hypervisor.attachDevice(call(), wanted);
  await guests().disk('vm1', 'vdb');
  await guests().agent('vm1').hold();
  try {
    for (let time = 0; time < 2; time++) t.deepEqual(await first.detachDevice(call(), wanted), { result: 'requested' });
    t.is(asked.length, 1, asked.join('; '));
  } finally {
    await guests().agent('vm1').letGo();
  }
  t.deepEqual(await second.detachDevice(call(), wanted), { result: 'detached' });
  t.is(asked.length, 1, asked.join('; '));
  await takeOut(wanted);
});

test(`safety E3 › detachDevice › pulls no disk that somebody else has put into the slot meanwhile${why}`, async (t) => {
  const { hypervisor, request, loop, open, slots, takeOut } = await makeNode(t, guests());
  const key = await guests().define('swapped');
  t.teardown(() => guests().daemon.virsh('undefine', 'swapped'));
  const [ours, theirs] = [request(key, await loop()), request(key, await loop())];
  await hypervisor.attachDevice(call(), ours);
  // Between the look and the command.
  const swapping = await open({
    machine: (machine) =>
      before(machine, /detach/, async () => {
        await guests().daemon.virsh('detach-disk', 'swapped', 'vdb', '--config');
        await hypervisor.attachDevice(call(), theirs);
      }),
  });
  t.deepEqual(await swapping.detachDevice(call(), ours), { result: 'detached' });
  t.deepEqual(await slots('swapped'), { live: [], config: ['vdb'] });
  await t.throwsAsync(hypervisor.detachDevice(call(), ours), { code: 'FAILED_PRECONDITION' });
  await takeOut(theirs);
});

test(`a VM that is ended, or started, between the look and the command › loses its disk all the same${why}`, async (t) => {
  const { hypervisor, request, loop, open, slots } = await makeNode(t, guests());
  const wanted = request(await guests().uuid('vm1'), await loop());
  await hypervisor.attachDevice(call(), wanted);
  await guests().disk('vm1', 'vdb');
  const ending = await open({ machine: (machine) => before(machine, /detach/, () => guests().destroy('vm1')) });
  t.deepEqual(await ending.detachDevice(call(), wanted), { result: 'detached' });
  t.deepEqual(await slots('vm1'), { live: [], config: [] });
  await hypervisor.attachDevice(call(), wanted);
  const starting = await open({ machine: (machine) => before(machine, /detach/, () => guests().start('vm1')) });
  t.deepEqual(await starting.detachDevice(call(), wanted), { result: 'detached' });
  t.deepEqual(await slots('vm1'), { live: [], config: [] });
});

test(`safety A7 › virsh is ended while libvirt goes on with the attach › a repeat waits for it, and there is one disk${why}`, async (t) => {
  const { hypervisor, request, directory, slots, takeOut } = await makeNode(t, guests());
  const { daemon, source } = await makeIscsiDisk(t, directory, sizeBytes);
  const wanted = request(await guests().uuid('vm1'), source);
  daemon.signal('SIGSTOP');
  const controller = new AbortController();
  const given = t.throwsAsync(hypervisor.attachDevice(call({ signal: controller.signal }), wanted), { code: 'DEADLINE_EXCEEDED' });
  await pause(1_500);
  controller.abort();
  await given;
  daemon.signal('SIGCONT');
  await hypervisor.attachDevice(call(), wanted);
  t.deepEqual(await slots('vm1'), { live: ['vdb'], config: ['vdb'] });
  t.is((await guests().disk('vm1', 'vdb')).sizeBytes, sizeBytes);
  await takeOut(wanted);
  t.is((await guests().daemon.virsh('secret-list')).trim(), '');
});

test(`attachDevice › says why a source cannot be had, and leaves nothing behind${why}`, async (t) => {
  const { hypervisor, request, directory, slots, loop, takeOut } = await makeNode(t, guests());
  const key = await guests().uuid('vm1');
  const { source, withPassword, daemon } = await makeIscsiDisk(t, directory, sizeBytes);
  const refused = async (wanted: ReturnType<typeof request>, code: string, message: RegExp): Promise<void> => {
    await t.throwsAsync(hypervisor.attachDevice(call(), wanted), { code, message } as never);
    t.deepEqual(await slots('vm1'), { live: [], config: [] });
    t.is((await guests().daemon.virsh('secret-list')).trim(), '');
  };
  const nbd = (uri: string) => ({ kind: 'connection', connection: { protocol: 'nbd', key: uri, uri } }) as const;
  await refused(request(key, { kind: 'block', path: '/dev/vbs-no-such-device' }), 'FAILED_PRECONDITION', /no such device/);
  await refused(request(key, withPassword('another secret')), 'PERMISSION_DENIED', /CHAP/);
  await refused(request(key, source, { sizeBytes: sizeBytes * 2 }), 'FAILED_PRECONDITION', /has 65536 bytes, not 131072.*taken out again/);
  await refused(request(key, nbd('nbd://127.0.0.1:9/exp')), 'UNAVAILABLE', /does not answer/);
  await refused(request(key, nbd('nbd+unix:///exp?socket=/run/vbs-no-such-socket')), 'UNAVAILABLE', /does not answer/);
  await daemon.kill();
  await refused(request(key, source), 'UNAVAILABLE', /does not answer/);
  const bare = await guests().define('bare', { scsi: false });
  t.teardown(() => guests().daemon.virsh('undefine', 'bare'));
  await t.throwsAsync(hypervisor.canonicalSlot(call(), { vm: bare, device: 'sdb' }), {
    code: 'INVALID_ARGUMENT',
    message: /no SCSI controller/,
  });
  await refused(request(bare, await loop(), { slot: 'sdb' }), 'FAILED_PRECONDITION', /virtio-scsi/);
  const shared = await loop();
  const [first, second] = [request(key, shared), request(key, shared, { slot: 'vdc' })];
  await hypervisor.attachDevice(call(), first);
  await t.throwsAsync(hypervisor.attachDevice(call(), second), { code: 'FAILED_PRECONDITION', message: /already, as vdb/ });
  await t.throwsAsync(hypervisor.attachDevice(call(), { ...first, access: 'read-only' }), {
    code: 'FAILED_PRECONDITION',
    message: /detach it first/,
  });
  await takeOut(first);
});

test(`extendDevice › never shrinks a disk, and tells what has not grown${why}`, async (t) => {
  const { hypervisor, request, directory, takeOut } = await makeNode(t, guests());
  const key = await guests().uuid('vm1');
  const volume = await makeLoopVolume(directory, sizeBytes);
  t.teardown(volume.remove);
  const wanted = request(key, volume.source);
  await hypervisor.attachDevice(call(), wanted);
  t.deepEqual(await hypervisor.extendDevice(call(), { ...wanted, sizeBytes: 4096 }), { sizeBytes });
  await t.throwsAsync(hypervisor.extendDevice(call(), { ...wanted, sizeBytes: sizeBytes * 2 }), {
    code: 'FAILED_PRECONDITION',
    message: /not grown/,
  });
  for (const illegal of [0, -512, 1000, Number.NaN, 1.5]) {
    await t.throwsAsync(hypervisor.extendDevice(call(), { ...wanted, sizeBytes: illegal }), { code: 'OUT_OF_RANGE' });
  }
  t.is((await guests().disk('vm1', 'vdb')).sizeBytes, sizeBytes);
  await takeOut(wanted);

  const atEnd: (() => Promise<unknown>)[] = [];
  const nbd = await makeNbdSource(
    { instance: 'test', directory, atEnd: (act) => void atEnd.push(act) },
    { sizeBytes, access: 'read-write' },
  );
  t.teardown(async () => {
    await nbd.remove();
    for (const act of atEnd) await act();
  });
  const exported = request(key, nbd.source);
  await hypervisor.attachDevice(call(), exported);
  await nbd.grow(sizeBytes * 2);
  const refused = { code: 'FAILED_PRECONDITION', message: /detach the volume and attach it again/ } as const;
  await t.throwsAsync(hypervisor.extendDevice(call(), { ...exported, sizeBytes: sizeBytes * 2 }), refused);
  await takeOut(exported);
});

test(`extendDevice › a SCSI guest sees the new size once it has looked again${why}`, async (t) => {
  const { hypervisor, request, directory, takeOut } = await makeNode(t, guests());
  const volume = await makeLoopVolume(directory, sizeBytes);
  t.teardown(volume.remove);
  const wanted = request(await guests().uuid('vm1'), volume.source, { slot: 'sdb' });
  await hypervisor.attachDevice(call(), wanted);
  t.is((await guests().disk('vm1', 'sdb')).sizeBytes, sizeBytes);
  await volume.grow(sizeBytes * 2);
  t.deepEqual(await hypervisor.extendDevice(call(), { ...wanted, sizeBytes: sizeBytes * 2 }), { sizeBytes: sizeBytes * 2 });
  await guests().agent('vm1').do(`rescan ${wanted.serial}`);
  t.is((await guests().disk('vm1', 'sdb')).sizeBytes, sizeBytes * 2);
  await takeOut(wanted);
});

test(`listDevices › tells disks that VBS has not attached, and detachDevice takes one of its source that bears no mark${why}`, async (t) => {
  const { hypervisor, request, loop, directory } = await makeNode(t, guests());
  const key = await guests().define('furnished');
  t.teardown(() => guests().daemon.virsh('undefine', 'furnished'));
  const image = join(directory, 'image.raw');
  await writeFile(image, Buffer.alloc(4096));
  const source = await loop();
  const path = source.kind === 'block' ? source.path : '';
  await guests().daemon.virsh('attach-disk', 'furnished', image, 'hda', '--config');
  await guests().daemon.virsh('attach-disk', 'furnished', '', 'hdc', '--type', 'cdrom', '--config');
  await guests().daemon.virsh('attach-disk', 'furnished', path, 'vdb', '--config', '--sourcetype', 'block', '--mode', 'readonly');
  const told = (await hypervisor.listDevices(call())).filter(({ vm }) => vm === key).map(({ vm: _vm, ...device }) => device);
  t.deepEqual(
    told.sort((one, other) => (one.slot < other.slot ? -1 : 1)),
    [
      { slot: 'hda', access: 'read-write', state: 'attached' },
      { slot: 'hdc', access: 'read-only', state: 'attached' },
      { slot: 'vdb', source, access: 'read-only', state: 'attached' },
    ],
  );
  t.deepEqual(await hypervisor.detachDevice(call(), request(key, source)), { result: 'detached' });
  t.is((await hypervisor.listDevices(call())).filter(({ vm }) => vm === key).length, 2);
});

test(`a libvirt that does not answer › is UNAVAILABLE, and check says so${why}`, async (t) => {
  const { request, open } = await makeNode(t, guests());
  const hypervisor = await open({ config: { uri: 'qemu+unix:///system?socket=/run/vbs-no-such-socket' } });
  await t.throwsAsync(hypervisor.listDevices(call()), { code: 'UNAVAILABLE', message: /does not answer/ });
  await t.throwsAsync(hypervisor.identifyVm(call(), { vmId: 'vm1' }), { code: 'UNAVAILABLE' });
  const wanted = request(await guests().uuid('vm1'), { kind: 'block', path: '/dev/loop0' });
  await t.throwsAsync(hypervisor.detachDevice(call(), wanted), { code: 'UNAVAILABLE' });
  await t.throwsAsync(hypervisor.attachDevice(call(), wanted), { code: 'UNAVAILABLE' });
});

const overSsh = withoutSshd === undefined ? test : ava.skip;
overSsh(
  `a node over SSH › is given its disks by the same commands${why}${withoutSshd === undefined ? '' : ` (skipped: ${withoutSshd})`}`,
  async (t) => {
    const sshd = await startSshd();
    t.teardown(() => sshd.stop());
    const { hypervisor: here, directory, open, request, slots } = await makeNode(t, guests());
    const configuration = { host: 'vs1', configFile: sshd.configFile, stateDirectory: join(directory, 'node') };
    const machine = createSshMachine({ configuration, stateDirectory: join(directory, 'ssh'), log: silent });
    t.teardown(() => machine.close());
    const hypervisor = await open({ machine: () => machine });
    const { source } = await makeIscsiDisk(t, directory, sizeBytes);
    const wanted = request((await hypervisor.identifyVm(call(), { vmId: 'vm1' })).key, source);
    await hypervisor.attachDevice(call(), wanted);
    t.deepEqual(await slots('vm1'), { live: ['vdb'], config: ['vdb'] });
    t.is((await guests().disk('vm1', 'vdb')).sizeBytes, sizeBytes);
    t.deepEqual(await hypervisor.listDevices(call()), await here.listDevices(call()));
    t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
    t.deepEqual(await slots('vm1'), { live: [], config: [] });
    t.deepEqual(await readdir(join(directory, 'node/libvirt')), []);
  },
);

/** A machine on which something happens before the first command of a kind. */
function before(machine: Machine, kind: RegExp, happening: () => Promise<unknown>): Machine {
  let happened = false;
  return interceptedMachine(machine, {
    run: async (given, command, options) => {
      if (!happened && command.some((word) => kind.test(String(word)))) {
        happened = true;
        await happening();
      }
      return machine.run(given, command, options);
    },
  });
}
