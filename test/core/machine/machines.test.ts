import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DefaultMachines } from '@vbs/core/internal/machine/machines.js';
import test from 'ava';
import { machineFixture } from './fixture.js';

test('Machines › gives one machine for all that are configured alike, and connects to none of them before its first call', async (t) => {
  const { stateDirectory, call } = await machineFixture(t);
  const machines = new DefaultMachines({ stateDirectory, log: call().log });
  t.is(machines.machine('local'), machines.machine('local'));
  t.is((await machines.machine('local').run(call(), ['echo', 'here'])).stdout, 'here\n');
  const other = machines.machine({ ssh: { host: 'vs1' } });
  t.is(machines.machine({ ssh: { host: 'vs1' } }), other);
  t.not(machines.machine({ ssh: { host: 'vs2' } }), other);
  t.not(machines.machine({ ssh: { host: 'vs1', stateDirectory: '/var/lib/other' } }), other);
  t.is(other.name, 'ssh: vs1');
  await t.throwsAsync(stat(join(stateDirectory, 'ssh')), { code: 'ENOENT' });
  await t.notThrowsAsync(machines.close());
});
