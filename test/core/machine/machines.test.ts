import type { VbsError } from '@vbs/core';
import { DefaultMachines } from '@vbs/core/internal/machine/machines.js';
import test from 'ava';
import { machineFixture } from './fixture.js';

test('Machines › gives one local machine for all, and refuses ssh in one clear sentence', async (t) => {
  const { stateDirectory, call } = await machineFixture(t);
  const machines = new DefaultMachines({ stateDirectory, log: call().log });
  t.is(machines.machine('local'), machines.machine('local'));
  t.is((await machines.machine('local').run(call(), ['echo', 'here'])).stdout, 'here\n');
  const error = t.throws<VbsError>(() => machines.machine({ ssh: { host: 'vs1' } }), {
    code: 'CONFIG_INVALID',
    message: /vs1.*this version/,
  });
  t.deepEqual(error?.context.faults, [error?.message]);
});
