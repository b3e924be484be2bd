import test from 'ava';
import type { ToolResult } from '../frame/tool.js';
import { NimbusWorld } from './nimbus-admin.js';

function aWorld(): { readonly world: NimbusWorld; readonly run: (...args: string[]) => ToolResult } {
  const world = new NimbusWorld();
  world.put('4', 'worker02.example.org', 'Running');
  return { world, run: (...args) => world.tools['nimbus-admin']?.({ args, input: '', root: '/none' }) as ToolResult };
}

test('the stand-in nimbus-admin › lists as the real one: plainly, by a delimiter, and as JSON', (t) => {
  const { run } = aWorld();
  t.is(
    run('--list').stdout,
    `id         :  4
node       :  worker02.example.org
group_id   :  1
group_name :  UNLIMITED
creator    :  /O=Auto/OU=0718075a/CN=test@example.org
state      :  Running
start time :  Tue Sep 13 09:55:30 PDT 2011
end time   :  Tue Sep 13 18:17:30 PDT 2011
memory     :  512
cpu count  :  1
uri        :  /vms/sl54base_i386.img.gz

`,
  );
  t.is(run('--list', '--batch', '-D', '|', '--report', 'id,node,state').stdout, '4|worker02.example.org|Running\n');
  t.is(run('--list', '--batch', '--report', 'id,start time').stdout, '4 Tue Sep 13 09:55:30 PDT 2011\n');
  t.deepEqual(JSON.parse(run('--list', '--json').stdout ?? '')[0].node, 'worker02.example.org');
});

test('the stand-in nimbus-admin › finds nothing with exit code 0, and refuses wrong options', (t) => {
  const { world, run } = aWorld();
  t.deepEqual(run('--list', '--host', 'X'), { stderr: 'No vms with host X found\n' });
  world.isOld = true;
  const { exitCode, stderr } = run('--list', '--json');
  t.is(exitCode, 1);
  t.regex(stderr ?? '', /^Parameter Problem:\n\n[\s\S]*\nSee --help\n$/);
  t.is(run('--list', '--report', 'id,bogus').exitCode, 1);
  t.is(run('--bogus').exitCode, 1);
  world.isOld = false;
  t.regex(run('--list', '--json', '--batch').stderr ?? '', /You cannot specify both batch and json/);
  t.is(run('--list', '--json', '-D', '|').exitCode, 3);
});

test('the stand-in nimbus-admin › writes JSON as Gson does, with null for a node that there is not', (t) => {
  const { world, run } = aWorld();
  world.put('5', '', 'Unpropagated');
  t.is(
    run('--list', '--json', '--report', 'id,node,creator').stdout,
    `[
  {
    "id": "4",
    "node": "worker02.example.org",
    "creator": "/O\\u003dAuto/OU\\u003d0718075a/CN\\u003dtest@example.org"
  },
  {
    "id": "5",
    "node": null,
    "creator": "/O\\u003dAuto/OU\\u003d0718075a/CN\\u003dtest@example.org"
  }
]`,
  );
  t.is(run('--list', '--batch', '-D', '|', '--report', 'id,node,state').stdout, '4|worker02.example.org|Running\n5||Unpropagated\n');
  world.vms.clear();
  t.deepEqual(run('--list', '--json'), { stdout: '[]' });
  t.deepEqual(run('--list', '--batch'), { stdout: '' });
});

test('the stand-in nimbus-admin › tells that the service is down by exit code 2, or, in old releases, on standard error alone', (t) => {
  const { world, run } = aWorld();
  world.isDown = true;
  const { exitCode, stderr } = run('--list', '--json');
  t.is(exitCode, 2);
  t.regex(stderr ?? '', /^Failed to connect to Nimbus service over domain sockets\. Is the service running\?\n\nSocket directory: /);
  world.isDown = 'told only';
  t.is(run('--list', '--json').exitCode, undefined);
  t.is(run('--list', '--json').stdout, undefined);
});
