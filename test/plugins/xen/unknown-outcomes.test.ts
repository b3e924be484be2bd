import test from 'ava';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import type { Tool } from '../../stand-ins/frame/tool.js';
import { call, type Fixture, makeFixture, refused, request } from './xen-fixture.js';

/** A machine on which one tool is another. */
function withTool({ host }: Fixture, name: 'xl' | 'xenstore-ls', tool: Tool): StandInMachine {
  const { root, directory, world } = host;
  return new StandInMachine({ name: 'xen1', root, stateDirectory: `${directory}/node-state`, tools: { ...world.tools, [name]: tool } });
}

test('attachDevice › exit 0 of a tool that did nothing is not believed (stand-in)', async (t) => {
  const fixture = await makeFixture(t);
  const { contract } = await fixture.open({ machine: withTool(fixture, 'xl', () => ({})) });
  await refused(t, contract.attachDevice(call(), request(fixture.host)), { code: 'INTERNAL' });
});

test('safety A1 › a look that fails after the command never says that nothing changed (stand-in)', async (t) => {
  const fixture = await makeFixture(t);
  const { host } = fixture;
  let looks = 0;
  const machine = withTool(fixture, 'xenstore-ls', (run) => {
    host.world.root = ++looks === 1;
    const answer = host.world.tools['xenstore-ls']?.(run) ?? {};
    host.world.root = true;
    return answer;
  });
  const { contract } = await fixture.open({ machine });
  const wanted = request(host);
  await refused(t, contract.attachDevice(call(), wanted), { code: 'DEADLINE_EXCEEDED' });
  t.is(host.disks().length, 1);
  looks = 0;
  await refused(t, contract.detachDevice(call(), wanted), { code: 'DEADLINE_EXCEEDED' });
});

test('safety A1 › two domains of one name after the command: nobody is told that nothing changed (stand-in)', async (t) => {
  const fixture = await makeFixture(t);
  const { host } = fixture;
  const machine = withTool(fixture, 'xl', async (run) => {
    const answer = (await host.world.tools.xl?.(run)) ?? {};
    host.world.start('vm1');
    return answer;
  });
  const { contract } = await fixture.open({ machine });
  await refused(t, contract.attachDevice(call(), request(host)), { code: 'DEADLINE_EXCEEDED' });
  t.is(host.disks().length, 1);
});

test('safety B1 › a call that loses its lease between two commands never says that nothing changed (stand-in)', async (t) => {
  const fixture = await makeFixture(t);
  const { host } = fixture;
  const wanted = request(host, { path: host.device({ readOnly: true }).path });
  let looks = 0;
  const machine = withTool(fixture, 'xenstore-ls', async (run) => {
    // The disk is in, and is not what it must be; it is to be taken out when somebody else takes the lease.
    if (++looks === 2) await host.machine.run(call({ epoch: 9 }), ['xl', 'list'], { guard: wanted.attachmentId });
    return (await host.world.tools['xenstore-ls']?.(run)) ?? {};
  });
  const { contract } = await fixture.open({ machine });
  await refused(t, contract.attachDevice(call(), wanted), { code: 'DEADLINE_EXCEEDED' });
  t.is(host.disks().length, 1);
});

test('attachDevice › two processes at one slot: one wins, and the other changes nothing (stand-in)', async (t) => {
  const fixture = await makeFixture(t);
  const { host } = fixture;
  const [mine, theirs] = [request(host), request(host)];
  const machine = withTool(fixture, 'xl', async (run) => {
    if (run.args[0] === 'block-attach') {
      const { path } = theirs.source as { readonly path: string };
      await host.machine.run(call(), ['xl', 'block-attach', 'vm1', `phy:${path}`, 'xvdb', 'w']);
    }
    return (await host.world.tools.xl?.(run)) ?? {};
  });
  const { contract } = await fixture.open({ machine });
  await refused(t, contract.attachDevice(call(), mine), { code: 'FAILED_PRECONDITION', context: { slot: 'xvdb' } });
  t.deepEqual((await contract.listDevices(call()))[0]?.source, theirs.source);
});
