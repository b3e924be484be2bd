import { rmSync, writeFileSync } from 'node:fs';
import { VbsError } from '@vbs/core';
import test from 'ava';
import { call, makeFixture, request, toolstacks } from './xen-fixture.js';

const look = 'xenstore-ls -f /local/domain';

for (const [tool, commands] of toolstacks) {
  test(`every operation › runs the commands that the README lists, and no other (stand-in ${tool})`, async (t) => {
    const { host, hypervisor } = await makeFixture(t, { commands });
    const commandsOf = async (act: () => Promise<unknown>): Promise<readonly string[]> => {
      const from = host.faults.ran.length;
      await act();
      return host.faults.ran.slice(from);
    };
    const { path } = host.device();
    const wanted = request(host, { path });
    const attach = `${tool} block-attach vm1 phy:${path} xvdb w`;
    const detach = `${tool} block-detach vm1 xvdb`;
    t.deepEqual(await commandsOf(() => hypervisor.identifyVm(call(), { vmId: 'vm1' })), [`${tool} list`]);
    t.deepEqual(await commandsOf(() => hypervisor.canonicalSlot(call(), { vm: 'vm1', device: 'xvdb' })), []);
    t.deepEqual(await commandsOf(() => hypervisor.attachDevice(call(), wanted)), [look, attach, look]);
    t.deepEqual(await commandsOf(() => hypervisor.attachDevice(call(), wanted)), [look]);
    t.deepEqual(await commandsOf(() => hypervisor.listDevices(call())), [look]);
    t.deepEqual(await commandsOf(() => hypervisor.detachDevice(call(), wanted)), [look, detach, look]);
    t.deepEqual(await commandsOf(() => hypervisor.detachDevice(call(), wanted)), [look]);
  });

  test(`every operation › says why it may not or cannot (stand-in ${tool})`, async (t) => {
    const { host, hypervisor } = await makeFixture(t, { commands });
    const acts = [
      () => hypervisor.identifyVm(call(), { vmId: 'vm1' }),
      () => hypervisor.listDevices(call()),
      () => hypervisor.attachDevice(call(), request(host)),
      () => hypervisor.detachDevice(call(), request(host)),
    ];
    host.world.root = false;
    for (const act of acts) t.like(await t.throwsAsync(act(), { instanceOf: VbsError, message: /sudo -n/ }), { code: 'PERMISSION_DENIED' });
    host.world.root = true;
    host.world.xenstored = false;
    for (const act of acts.slice(1)) t.like(await t.throwsAsync(act(), { message: /xenstored does not run/ }), { code: 'UNAVAILABLE' });
  });
}

test('identifyVm › without xend it is UNAVAILABLE (stand-in xm)', async (t) => {
  const { host, hypervisor } = await makeFixture(t, { commands: toolstacks[1][1] });
  host.world.xend = false;
  t.like(await t.throwsAsync(hypervisor.identifyVm(call(), { vmId: 'vm1' })), { code: 'UNAVAILABLE' });
});

test('listDevices › a pattern without -f, whose tool cuts long paths, is told (stand-in)', async (t) => {
  const { hypervisor } = await makeFixture(t, { commands: { readStore: 'xenstore-ls /local/domain' } });
  t.like(await t.throwsAsync(hypervisor.listDevices(call()), { message: /with -f/ }), { code: 'INTERNAL' });
});

test('check › names each thing that the node lacks (stand-in)', async (t) => {
  const { host, open } = await makeFixture(t);
  const opened = await open();
  t.deepEqual(await opened.check(call()), []);
  const capabilities = host.machine.real('/proc/xen/capabilities');
  writeFileSync(capabilities, '');
  host.world.root = false;
  const faults = await opened.check(call());
  t.is(faults.length, 3);
  for (const [index, pattern] of [/not its Dom0/, /sudo -n/, /sudo -n/].entries()) t.regex(faults[index] ?? '', pattern);
  rmSync(capabilities);
  t.regex((await opened.check(call()))[0] ?? '', /mount xenfs/);
});
