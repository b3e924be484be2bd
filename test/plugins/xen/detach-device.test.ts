import { VbsError } from '@vbs/core';
import test from 'ava';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { call, makeFixture, request, toolstacks } from './xen-fixture.js';

test('safety A5 › a guest that does not let go: requested, the disk stays and works, and it is asked once (stand-in)', async (t) => {
  for (const [tool, commands] of toolstacks) {
    const { host, hypervisor } = await makeFixture(t, { commands });
    const wanted = request(host);
    await hypervisor.attachDevice(call(), wanted);
    const letGo = host.world.hold('vm1', 'xvdb');
    for (let time = 0; time < 3; time++) {
      t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'requested' });
      t.like((await hypervisor.listDevices(call()))[0], { state: 'attached', slot: 'xvdb' });
      t.is((await host.world.disk('vm1', 'xvdb').read(0, 512)).length, 512);
    }
    t.is(host.faults.ran.filter((line) => line.startsWith(`${tool} block-detach`)).length, 1);
    letGo();
    t.is((await hypervisor.listDevices(call()))[0]?.state, 'changing');
    t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
    t.deepEqual(host.disks(), []);
  }
});

test('detachDevice › a guest that was asked, is paused and goes on: it is asked again only when it connected again (stand-in)', async (t) => {
  const { host, hypervisor } = await makeFixture(t);
  const wanted = request(host);
  await hypervisor.attachDevice(call(), wanted);
  host.world.pause('vm1');
  t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'requested' });
  host.world.unpause('vm1');
  t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
});

test('detachDevice › a guest that has the disk mounted lets go, and gets errors: Xen tells nobody (stand-in)', async (t) => {
  const { host, hypervisor } = await makeFixture(t);
  const wanted = request(host);
  await hypervisor.attachDevice(call(), wanted);
  const mounted = host.world.disk('vm1', 'xvdb');
  await mounted.write(0, Buffer.from('before'));
  t.deepEqual(await hypervisor.detachDevice(call(), wanted), { result: 'detached' });
  await t.throwsAsync(mounted.write(0, Buffer.from('after')), { message: /ENXIO/ });
});

test('detachDevice › never forces (stand-in)', async (t) => {
  for (const [, commands] of toolstacks) {
    const { host, hypervisor } = await makeFixture(t, { commands });
    const wanted = request(host);
    await hypervisor.attachDevice(call(), wanted);
    host.world.hold('vm1', 'xvdb');
    await hypervisor.detachDevice(call(), wanted);
    t.false(host.faults.ran.some((line) => /block-detach.* (-f|--force)/.test(line)));
  }
});

test('detachDevice › exit 0 of a tool that did nothing is not believed, and neither is an error of one that did all (stand-in)', async (t) => {
  const { host, hypervisor, open } = await makeFixture(t);
  const { root, directory, world } = host;
  const wanted = request(host);
  await hypervisor.attachDevice(call(), wanted);
  let acts = false;
  const tools = {
    ...world.tools,
    xl: async (run: Parameters<NonNullable<typeof world.tools.xl>>[0]) => {
      if (!acts) return {};
      await world.tools.xl?.(run);
      return { exitCode: 1, stderr: 'libxl: error: something\n' };
    },
  };
  const { contract } = await open({ machine: new StandInMachine({ root, stateDirectory: `${directory}/node-state`, tools }) });
  const error = (await t.throwsAsync(contract.detachDevice(call(), wanted), { instanceOf: VbsError })) as VbsError;
  t.is(error.code, 'INTERNAL');
  t.is(host.disks().length, 1);
  acts = true;
  t.deepEqual(await contract.detachDevice(call(), wanted), { result: 'detached' });
  t.deepEqual(host.disks(), []);
});

test('detachDevice › a slot that another takes the moment it is free is no leftover (stand-in)', async (t) => {
  const { host, hypervisor, open } = await makeFixture(t);
  const { root, directory, world } = host;
  const wanted = request(host);
  const { path } = host.device();
  await hypervisor.attachDevice(call(), wanted);
  const tools = {
    ...world.tools,
    xl: async (run: Parameters<NonNullable<typeof world.tools.xl>>[0]) => {
      const answer = await world.tools.xl?.(run);
      await host.machine.run(call(), ['xl', 'block-attach', 'vm1', `phy:${path}`, 'xvdb', 'w']);
      return answer ?? {};
    },
  };
  const { contract } = await open({ machine: new StandInMachine({ root, stateDirectory: `${directory}/node-state`, tools }) });
  t.deepEqual(await contract.detachDevice(call(), wanted), { result: 'detached' });
  t.deepEqual((await contract.listDevices(call()))[0]?.source, { kind: 'block', path });
});

test('detachDevice › takes out an entry with nothing behind it (stand-in xl)', async (t) => {
  const { host, hypervisor } = await makeFixture(t);
  const { path, device } = host.device();
  device.mounted = 'rw';
  await t.throwsAsync(host.machine.run(call(), ['xl', 'block-attach', 'vm1', `phy:${path}`, 'xvdb', 'w']));
  t.deepEqual(await hypervisor.detachDevice(call(), request(host, { path })), { result: 'detached' });
  t.deepEqual(host.disks(), []);
});
