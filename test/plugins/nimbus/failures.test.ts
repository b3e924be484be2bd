import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCommandRunner, createLocalMachine, type ErrorCode, isVbsError, type Machine, VbsError } from '@vbs/core';
import nimbusPlugin, { type NimbusConfig } from '@vbs/plugin-nimbus';
import { commands } from '@vbs/plugin-nimbus/internal/commands.js';
import test, { type ExecutionContext } from 'ava';
import { toolFaults } from '../../stand-ins/frame/faults.js';
import { silent } from '../../support/store.js';
import { withTools } from '../nbd/tools.js';
import { aCall, anInstance } from '../sandbox/fixture.js';
import { Cloud, documents } from './nimbus-fixture.js';

const lists: readonly (readonly [string, NimbusConfig])[] = [
  ['JSON', {}],
  ['a delimiter', { delimiter: '|' }],
];

function aDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'vbs-nimbus-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function open(machine: Machine, config: NimbusConfig, patterns: Partial<Record<keyof typeof commands, string>> = {}) {
  const runner = createCommandRunner({ ...commands, ...patterns }, machine);
  return nimbusPlugin.provides.cloudResolver.open({ ...anInstance('nimbus', config), machine, commands: runner } as never, aCall());
}

async function refusal(t: ExecutionContext, act: Promise<unknown>, code: ErrorCode): Promise<VbsError> {
  const error: unknown = await t.throwsAsync(act);
  if (!isVbsError(error)) throw error;
  t.is(error.code, code, error.message);
  return error;
}

for (const [form, config] of lists) {
  test(`resolveInstance › by ${form}, finds an instance beside one that has no node yet`, async (t) => {
    const { machine } = new Cloud(aDirectory(t));
    const resolver = await open(machine, config);
    t.like(await resolver.resolveInstance(aCall(), { instanceId: '4' }), { vmmHost: 'worker02.example.org' });
    t.is((await refusal(t, resolver.resolveInstance(aCall(), { instanceId: '7' }), 'FAILED_PRECONDITION')).context.state, 'Unstaged');
  });

  for (const [how, isDown] of [
    ['by its exit code', true],
    ['on standard error alone', 'told only'],
  ] as const) {
    test(`resolveInstance › by ${form}, a service that is down, told ${how}, is no word about any instance`, async (t) => {
      const cloud = new Cloud(aDirectory(t));
      cloud.world.isDown = isDown;
      const resolver = await open(cloud.machine, { ...config, idMap: '/ids' });
      for (const instanceId of ['4', 'i-0a1b2c3d']) await refusal(t, resolver.resolveInstance(aCall(), { instanceId }), 'UNAVAILABLE');
      await refusal(t, resolver.listInstances(aCall()), 'UNAVAILABLE');
      t.is((await resolver.check?.(aCall()))?.length, 1);
    });
  }
}

test('resolveInstance › a tool that is missing, told as a missing file is, is no word about an instance', async (t) => {
  const { machine } = new Cloud(aDirectory(t));
  machine.run = async () => {
    const stderr = '/opt/nimbus/bin/nimbus-admin: line 33: java: No such file or directory\n';
    throw new VbsError('INTERNAL', 'failed', { context: { exitCode: 127, stderr } });
  };
  for (const config of [{}, { delimiter: '|' }, { documents }, { idMap: '/ids' }]) {
    await refusal(t, (await open(machine, config)).resolveInstance(aCall(), { instanceId: '4' }), 'UNAVAILABLE');
  }
});

test('resolveInstance › 200 at once run the list twice: those that come while it runs share the next', async (t) => {
  const cloud = new Cloud(aDirectory(t));
  const resolver = await open(cloud.machine, {});
  const first = resolver.resolveInstance(aCall(), { instanceId: '4' });
  await new Promise((resolve) => setImmediate(resolve));
  const others = Array.from({ length: 199 }, () => resolver.resolveInstance(aCall(), { instanceId: '4' }));
  t.is(new Set((await Promise.all([first, ...others])).map(({ vmmHost }) => vmmHost)).size, 1);
  t.true(cloud.faults.ran.length <= 2, String(cloud.faults.ran.length));
});

test('resolveInstance › a folder of documents that is gone is no word about an instance', async (t) => {
  const { machine } = new Cloud(aDirectory(t));
  const resolver = await open(machine, { documents: { ...documents, directory: '/unmounted' }, idMap: '/ids' });
  for (const instanceId of ['4', 'i-0a1b2c3d']) await refusal(t, resolver.resolveInstance(aCall(), { instanceId }), 'FAILED_PRECONDITION');
  t.regex(((await resolver.check?.(aCall())) ?? []).join(), /\/unmounted, is not there/);
});

test('resolveInstance › an instance that was cancelled was terminated', async (t) => {
  const cloud = new Cloud(aDirectory(t));
  cloud.put('4', 'worker02.example.org', 'Cancelled');
  const resolver = await open(cloud.machine, {});
  t.is((await refusal(t, resolver.resolveInstance(aCall(), { instanceId: '4' }), 'NOT_FOUND')).context.reason, 'terminated');
});

for (const fault of toolFaults) {
  for (const [nth, what] of [
    [1, 'map of ids'],
    [2, 'list'],
  ] as const) {
    test(`resolveInstance › of an EC2-style id, the ${what} ${fault}: no answer, and the next try finds it`, async (t) => {
      const cloud = new Cloud(aDirectory(t));
      const resolver = await open(cloud.machine, { idMap: '/ids' });
      cloud.faults.arm(nth, fault);
      const expected = fault.startsWith('fails') ? 'UNAVAILABLE' : 'DEADLINE_EXCEEDED';
      await refusal(t, resolver.resolveInstance(aCall(), { instanceId: 'i-0a1b2c3d' }), expected);
      t.is(cloud.faults.met, 1);
      t.like(await resolver.resolveInstance(aCall(), { instanceId: 'i-0a1b2c3d' }), { vmId: 'wrksp-4' });
    });
  }
}

test('resolveInstance › real commands: what prints without end, is not there, or prints garbage, is no answer', async (t) => {
  const machine = createLocalMachine({ name: 'local', stateDirectory: aDirectory(t), log: silent });
  for (const [listJson, code] of [
    ['yes', 'UNAVAILABLE'],
    ['nimbus-admin-that-is-not-there --list', 'FAILED_PRECONDITION'],
    ['head -c 1000 /dev/urandom', 'INTERNAL'],
    ['cat /none/nimbus.json', 'UNAVAILABLE'],
    ['false', 'UNAVAILABLE'],
  ] as const) {
    const resolver = await open(machine, {}, { listJson });
    t.log(listJson, (await refusal(t, resolver.resolveInstance(aCall(), { instanceId: '4' }), code)).message);
  }
});

withTools('sqlite3')(
  "resolveInstance › real sqlite3: the map of ids is read from Nimbus's own database, as the README has it",
  async (t) => {
    const directory = aDirectory(t);
    const machine = createLocalMachine({ name: 'local', stateDirectory: directory, log: silent });
    const database = join(directory, 'elastic.db');
    const rows =
      "create table instances (elastic_id, manager_id, reservation_id, sshkey); insert into instances values ('i-0a1b2c3d', '4', 'r-1', 'k')";
    await machine.run(aCall(), ['sqlite3', database, rows]);
    const patterns = { readIdMap: 'sqlite3 -readonly <path> select(elastic_id),(manager_id)from(instances)' };
    const resolver = await open(machine, { idMap: database }, { ...patterns, listJson: 'echo [{"id":"4","node":"a","state":"Running"}]' });
    t.like(await resolver.resolveInstance(aCall(), { instanceId: 'i-0a1b2c3d' }), { vmmHost: 'a', vmId: 'wrksp-4' });
  },
);
