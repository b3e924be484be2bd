import { mkdirSync, truncateSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { call, type Host, MiB, makeFixture, refused, request, toolstacks } from './xen-fixture.js';

for (const [who, stop, go] of [
  ['is paused', (host: Host) => host.world.pause('vm1'), (host: Host) => host.world.unpause('vm1')],
  ['has no driver', (host: Host) => host.world.setFrontend('vm1', false), (host: Host) => host.world.setFrontend('vm1', true)],
] as const) {
  test(`safety A2 › a guest that ${who} neither takes a disk nor lets go: nobody is told that nothing changed, and it goes later (stand-in)`, async (t) => {
    for (const [, commands] of toolstacks) {
      const { host, hypervisor } = await makeFixture(t, { commands });
      const wanted = request(host);
      stop(host);
      const error = await refused(t, hypervisor.attachDevice(call(), wanted), { code: 'DEADLINE_EXCEEDED' });
      t.is(error.context.reason, 'guest-busy');
      t.is((await hypervisor.listDevices(call()))[0]?.state, 'changing');
      t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'requested' });
      go(host);
      t.is((await hypervisor.listDevices(call()))[0]?.state, 'changing');
      t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
      t.deepEqual(host.disks(), []);
      await hypervisor.attachDevice(call(), wanted);
      t.is((await hypervisor.listDevices(call()))[0]?.state, 'attached');
    }
  });

  test(`attachDevice › a repeat for a guest that ${who === 'is paused' ? 'was paused' : 'had no driver'} brings the disk in (stand-in)`, async (t) => {
    const { host, hypervisor } = await makeFixture(t);
    const wanted = request(host);
    stop(host);
    await t.throwsAsync(hypervisor.attachDevice(call(), wanted));
    go(host);
    await hypervisor.attachDevice(call(), wanted);
    t.is((await host.world.disk('vm1', 'xvdb').read(0, 512)).length, 512);
  });
}

test('attachDevice › waits for a guest that is slow (stand-in)', async (t) => {
  const { host, hypervisor } = await makeFixture(t, { config: { connectTimeoutSeconds: 20 } });
  host.world.pause('vm1');
  const wanted = request(host);
  const done = hypervisor.attachDevice(call(), wanted);
  while (host.disks().length === 0) await pause(5);
  host.world.unpause('vm1');
  await done;
  t.is((await hypervisor.listDevices(call()))[0]?.state, 'attached');
});

test('attachDevice › takes over what a process before it has put in, and the guest has not taken yet (stand-in)', async (t) => {
  const { host, hypervisor } = await makeFixture(t, { config: { connectTimeoutSeconds: 20 } });
  host.world.pause('vm1');
  const { path } = host.device();
  await host.machine.run(call(), ['xl', 'block-attach', 'vm1', `phy:${path}`, 'xvdb', 'w']);
  const done = hypervisor.attachDevice(call(), request(host, { path }));
  await pause(20);
  host.world.unpause('vm1');
  await done;
  t.is(host.faults.ran.filter((line) => line.startsWith('xl block-')).length, 1);
});

test('safety E3 › a disk that comes into the slot while a leftover is waited for is not taken out (stand-in)', async (t) => {
  const { host, hypervisor } = await makeFixture(t, { config: { connectTimeoutSeconds: 20 } });
  const [mine, theirs] = [host.device(), host.device()];
  const xl = (...words: readonly string[]): Promise<unknown> => host.machine.run(call(), ['xl', ...words]);
  host.world.pause('vm1');
  await xl('block-attach', 'vm1', `phy:${mine.path}`, 'xvdb', 'w');
  const looked = host.faults.ran.length;
  const done = refused(t, hypervisor.attachDevice(call(), request(host, { path: mine.path })), { code: 'FAILED_PRECONDITION' });
  while (host.faults.ran.length < looked + 3) await pause(5);
  await xl('block-detach', '--force', 'vm1', 'xvdb');
  host.world.unpause('vm1');
  await xl('block-attach', 'vm1', `phy:${theirs.path}`, 'xvdb', 'w');
  await done;
  t.deepEqual((await hypervisor.listDevices(call()))[0]?.source, { kind: 'block', path: theirs.path });
});

test('attachDevice › what a process before it has put in and is not the volume is taken out again (stand-in)', async (t) => {
  const { host, hypervisor } = await makeFixture(t, { config: { connectTimeoutSeconds: 20 } });
  const { path } = host.device({ readOnly: true });
  host.world.pause('vm1');
  await host.machine.run(call(), ['xl', 'block-attach', 'vm1', `phy:${path}`, 'xvdb', 'w']);
  const done = refused(t, hypervisor.attachDevice(call(), request(host, { path })), { code: 'FAILED_PRECONDITION' });
  await pause(20);
  host.world.unpause('vm1');
  t.is((await done).context.reason, 'wrong-device');
  t.deepEqual(host.disks(), []);
});

test('attachDevice › a hotplug script that hangs: an error that says unknown, nothing left, and a repeat is whole (stand-in)', async (t) => {
  for (const [, commands] of toolstacks) {
    const { host, hypervisor } = await makeFixture(t, { commands });
    const wanted = request(host);
    host.world.hotplugHangs = true;
    await refused(t, hypervisor.attachDevice(call(), wanted), { code: 'DEADLINE_EXCEEDED' });
    t.deepEqual(host.disks(), []);
    host.world.hotplugHangs = false;
    await hypervisor.attachDevice(call(), wanted);
    t.is(host.disks().length, 1);
  }
});

test('attachDevice › takes out the entry that a failed attempt has left, and tries again (stand-in xl)', async (t) => {
  const { host, hypervisor } = await makeFixture(t);
  const { path, device } = host.device();
  device.mounted = 'rw';
  await t.throwsAsync(host.machine.run(call(), ['xl', 'block-attach', 'vm1', `phy:${path}`, '0xca10', 'w']));
  t.deepEqual(host.disks(), ['vm1 /local/domain/0/backend/vbd/1/51728']);
  t.like((await hypervisor.listDevices(call()))[0], { slot: 'xvdb', state: 'changing' });
  device.mounted = undefined;
  await hypervisor.attachDevice(call(), request(host, { path }));
  t.like((await hypervisor.listDevices(call()))[0], { slot: 'xvdb', state: 'attached', source: { kind: 'block', path } });
});

test('attachDevice › a directory, which xl takes with exit 0 and nothing behind it, is no disk, and is taken out again (stand-in xl)', async (t) => {
  const { host, hypervisor } = await makeFixture(t);
  mkdirSync(host.machine.real('/tmp'));
  await refused(t, hypervisor.attachDevice(call(), request(host, { path: '/tmp' })), { code: 'FAILED_PRECONDITION' });
  t.deepEqual(host.disks(), []);
});

test("attachDevice › leaves another's entry alone in whatever state (stand-in)", async (t) => {
  const { host, hypervisor } = await makeFixture(t);
  const { path, device } = host.device();
  device.mounted = 'rw';
  await t.throwsAsync(host.machine.run(call(), ['xl', 'block-attach', 'vm1', `phy:${path}`, 'xvdb', 'w']));
  const wanted = request(host);
  await refused(t, hypervisor.attachDevice(call(), wanted), { code: 'FAILED_PRECONDITION', context: { slot: 'xvdb', holds: path } });
  await refused(t, hypervisor.detachDevice(call(), wanted), { code: 'FAILED_PRECONDITION' });
  t.deepEqual(host.disks(), ['vm1 /local/domain/0/backend/vbd/1/51728']);
});

test('attachDevice › a disk that the guest was asked for and holds is not put in again (stand-in)', async (t) => {
  const { host, hypervisor } = await makeFixture(t);
  const wanted = request(host);
  await hypervisor.attachDevice(call(), wanted);
  host.world.hold('vm1', 'xvdb');
  t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'requested' });
  await refused(t, hypervisor.attachDevice(call(), wanted), { code: 'FAILED_PRECONDITION' });
});

test('attachDevice › a disk whose session was logged out under it is there no more, and is put in anew (stand-in)', async (t) => {
  const { host, hypervisor } = await makeFixture(t);
  const { path, device } = host.device();
  const wanted = request(host, { path });
  await hypervisor.attachDevice(call(), wanted);
  host.world.devices.remove(device.path);
  t.is((await host.world.disk('vm1', 'xvdb').read(0, 512)).length, 0);
  t.is((await hypervisor.listDevices(call()))[0]?.state, 'changing');
  // The same volume, connected again, gets another number.
  host.world.devices.add(device.path, { sizeBytes: MiB });
  await hypervisor.attachDevice(call(), wanted);
  t.is((await hypervisor.listDevices(call()))[0]?.state, 'attached');
  t.is((await host.world.disk('vm1', 'xvdb').read(0, 512)).length, 512);
});

test('attachDevice › a disk that came up without a device behind it is put in anew (stand-in)', async (t) => {
  const { host, hypervisor } = await makeFixture(t);
  const { path, device } = host.device({ sizeBytes: 0 });
  await host.machine.run(call(), ['xl', 'block-attach', 'vm1', `phy:${path}`, 'xvdb', 'w']);
  t.is((await hypervisor.listDevices(call()))[0]?.state, 'changing');
  truncateSync(device.file, MiB);
  await hypervisor.attachDevice(call(), request(host, { path }));
  t.is(host.world.disk('vm1', 'xvdb').sizeBytes, MiB);
});
