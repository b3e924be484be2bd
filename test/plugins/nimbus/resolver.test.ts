import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCommandRunner, isVbsError, type VbsError } from '@vbs/core';
import nimbusPlugin, { type NimbusConfig } from '@vbs/plugin-nimbus';
import { commands } from '@vbs/plugin-nimbus/internal/commands.js';
import test, { type ExecutionContext } from 'ava';
import { toolFaults } from '../../stand-ins/frame/faults.js';
import { aCall, anInstance } from '../sandbox/fixture.js';
import { Cloud, documents, logistics, sources } from './nimbus-fixture.js';

function aCloud(t: ExecutionContext): Cloud {
  const directory = mkdtempSync(join(tmpdir(), 'vbs-nimbus-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return new Cloud(directory);
}

async function resolverOf({ machine }: Cloud, config: NimbusConfig) {
  const instance = { ...anInstance('nimbus', config), machine, commands: createCommandRunner(commands, machine) };
  return await nimbusPlugin.provides.cloudResolver.open(instance as never, aCall());
}

async function refusal(promise: Promise<unknown>): Promise<VbsError> {
  const error = await promise.then(
    (answer) => new Error(`answered ${JSON.stringify(answer)}`),
    (reason: unknown) => reason,
  );
  if (isVbsError(error)) return error;
  throw error;
}

for (const [source, config] of Object.entries(sources)) {
  test(`resolveInstance › by ${source}, sees where an instance has moved to`, async (t) => {
    const cloud = aCloud(t);
    const resolver = await resolverOf(cloud, config);
    t.like(await resolver.resolveInstance(aCall(), { instanceId: '4' }), { vmmHost: 'worker02.example.org' });
    cloud.put('4', 'worker01.example.org', 'Running');
    t.like(await resolver.resolveInstance(aCall(), { instanceId: '4' }), { vmmHost: 'worker01.example.org', vmId: 'wrksp-4' });
  });

  test(`resolveInstance › by ${source}, never guesses in a state that it does not know`, async (t) => {
    const cloud = aCloud(t);
    cloud.put('4', 'worker02.example.org', 'Migrating');
    const resolver = await resolverOf(cloud, config);
    const error = await refusal(resolver.resolveInstance(aCall(), { instanceId: '4' }));
    t.is(error.code, 'FAILED_PRECONDITION');
    t.is(error.context.state, 'Migrating');
    t.false((await resolver.listInstances(aCall())).some(({ instanceId }) => instanceId === '4'));
  });

  for (const fault of toolFaults) {
    test(`resolveInstance › by ${source}, a command that ${fault} is no answer, and the next try finds the instance`, async (t) => {
      const cloud = aCloud(t);
      const resolver = await resolverOf(cloud, config);
      cloud.faults.arm(1, fault);
      const { code } = await refusal(resolver.resolveInstance(aCall(), { instanceId: '4' }));
      t.is(code, fault.startsWith('fails') ? 'UNAVAILABLE' : 'DEADLINE_EXCEEDED');
      t.is(cloud.faults.met, 1);
      t.like(await resolver.resolveInstance(aCall(), { instanceId: '4' }), { vmId: 'wrksp-4' });
    });
  }
}

const wrong = test.macro(async (t, config: NimbusConfig, stdout: string) => {
  const cloud = aCloud(t);
  cloud.machine.run = async () => ({ exitCode: 0, stdout, stderr: '' });
  const resolver = await resolverOf(cloud, config);
  t.is((await refusal(resolver.resolveInstance(aCall(), { instanceId: '4' }))).code, 'INTERNAL');
});
const doc = (inner: string): string => `<p xmlns:l="${logistics}">${inner}</p>`;
for (const [what, config, stdout] of [
  ['JSON that was cut off', {}, '[{"id": "4", "node": "worker02'],
  ['nothing at all in place of JSON', {}, ''],
  ['JSON that is no list', {}, '{"id":"4"}'],
  ['a VM without a state', {}, '[{"id":"4","node":"a"}]'],
  ['null in place of an id', {}, '[{"id":null,"node":"a","state":"Running"}]'],
  ['a number in place of a text', {}, '[{"id":4,"node":"a","state":"Running"}]'],
  ['a node that is no host name', {}, '[{"id":"4","node":"a b; rm","state":"Running"}]'],
  ['one VM twice', {}, '[{"id":"4","node":"a","state":"Running"},{"id":"4","node":"b","state":"Running"}]'],
  ['a line of another form', { delimiter: '|' }, '4 worker02 Running\n'],
  ['a line with more fields', { delimiter: '|' }, '4|worker02|Running|x\n'],
  ['a document that was cut off', { documents }, '<p><l:state'],
  ['a document with an entity', { documents }, `<!DOCTYPE p [<!ENTITY h SYSTEM "file:///etc/passwd">]>${doc('<l:state>&h;</l:state>')}`],
  [
    'a document whose node is no host name',
    { documents },
    doc('<l:state>Running</l:state><l:networking><l:nic><l:vmmHost>a b</l:vmmHost></l:nic></l:networking>'),
  ],
] as const) {
  test(`resolveInstance › refuses ${what}`, wrong, config, stdout);
}

test('open › refuses a path that is no XPath, and a prefix without a namespace, naming the key', async (t) => {
  for (const [field, bad] of [
    ['documents.host', { ...documents, host: '//l:nic[' }],
    ['documents.state', { ...documents, state: '//x:state' }],
  ] as const) {
    const error = await refusal(resolverOf(aCloud(t), { documents: bad }));
    t.is(error.code, 'CONFIG_INVALID');
    t.is(error.context.field, field);
  }
});

test('resolveInstance › says how to do without --json where nimbus-admin does not know it', async (t) => {
  const cloud = aCloud(t);
  cloud.world.isOld = true;
  const resolver = await resolverOf(cloud, {});
  const error = await refusal(resolver.resolveInstance(aCall(), { instanceId: '4' }));
  t.is(error.code, 'FAILED_PRECONDITION');
  t.regex(error.message, /delimiter/);
  t.like(await (await resolverOf(cloud, { delimiter: '|' })).resolveInstance(aCall(), { instanceId: '4' }), { vmId: 'wrksp-4' });
});

test('resolveInstance › takes EC2-style ids only with a map, and says so', async (t) => {
  const cloud = aCloud(t);
  const error = await refusal((await resolverOf(cloud, {})).resolveInstance(aCall(), { instanceId: 'i-0a1b2c3d' }));
  t.is(error.code, 'NOT_FOUND', 'the next resolver is asked only then');
  t.is(error.context.reason, 'unknown');
  t.is(error.context.field, 'instanceId');
  t.regex(error.message, /idMap/);
  const missing = await resolverOf(cloud, { idMap: '/none' });
  t.is((await refusal(missing.resolveInstance(aCall(), { instanceId: 'i-0a1b2c3d' }))).code, 'FAILED_PRECONDITION');
  t.regex(((await missing.check?.(aCall())) ?? []).join(), /\/none, is not there/);
  cloud.write('ids', 'i-0a1b2c3d 4\ni-0a1b2c3d 5\n');
  t.is(
    (await refusal((await resolverOf(cloud, { idMap: '/ids' })).resolveInstance(aCall(), { instanceId: 'i-0a1b2c3d' }))).code,
    'INTERNAL',
  );
});

test('listInstances › is empty where nimbus-admin finds no VM', async (t) => {
  const cloud = aCloud(t);
  cloud.world.vms.clear();
  for (const config of [{}, { delimiter: '|' }]) t.deepEqual(await (await resolverOf(cloud, config)).listInstances(aCall()), []);
});
