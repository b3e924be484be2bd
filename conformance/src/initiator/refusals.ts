import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { type ConnectionInfo, Secret, type VbsError } from '@vbs/core';
import { refused } from '../kit/expect.js';
import type { Proof } from '../kit/test.js';
import type { InitiatorStage, Reachable } from './stage.js';

const method = 'connect';

function passwordOf(connection: ConnectionInfo): string | undefined {
  return 'chap' in connection ? connection.chap?.password.reveal() : undefined;
}

/** The same with a password that the target does not know; undefined where the target asks for none. */
function withWrongPassword(reachable: Reachable): Reachable | undefined {
  const { connection } = reachable.request;
  if (!('chap' in connection) || connection.chap === undefined) return undefined;
  const chap = { ...connection.chap, password: new Secret('not-the-password') };
  return { ...reachable, request: { ...reachable.request, connection: { ...connection, chap } } };
}

async function deniesAndLeavesNothing(stage: InitiatorStage, reachable: Reachable, what: string): Promise<VbsError> {
  const error = await refused(stage.connect(reachable), 'PERMISSION_DENIED', what);
  await stage.leftNothing(reachable, what);
  await stage.disconnect(reachable);
  return error;
}

/** Targets that are dead or refuse. */
export const refusalProofs: readonly Proof<InitiatorStage>[] = [
  {
    method,
    promise: 'answers UNAVAILABLE within its limit when the target is dead, and leaves nothing that keeps it from a later try',
    prove: async (stage) => {
      const neighbour = await stage.connected();
      const reachable = await stage.target();
      await reachable.target.stop();
      try {
        await refused(stage.connect(reachable), 'UNAVAILABLE', 'connect to a dead target');
        await stage.leftNothing(reachable, 'connect to a dead target');
      } finally {
        await reachable.target.start();
      }
      await stage.works({ ...reachable, answer: await stage.connect(reachable) }, 'when the target was back');
      await stage.works(neighbour);
    },
  },
  {
    method,
    promise: 'answers as before when the target was dead and is back, and the device works again',
    prove: async (stage) => {
      const connected = await stage.connected();
      await connected.target.stop();
      await connected.target.start();
      assert.deepEqual(await stage.connect(connected), connected.answer);
      await stage.works(connected, 'when the target was back');
      await stage.disconnect(connected);
      await stage.gone(connected);
    },
  },
  {
    method,
    promise: 'answers PERMISSION_DENIED when the target refuses this node, and leaves nothing',
    prove: async (stage) => {
      const reachable = await stage.target();
      if (reachable.target.refuse === undefined) return;
      await reachable.target.refuse();
      await deniesAndLeavesNothing(stage, reachable, 'connect to a target that refuses this node');
      const other = await stage.connected();
      await stage.works(other, 'of another target');
    },
  },
  {
    method,
    promise: 'answers PERMISSION_DENIED to a wrong password, and takes the right one afterwards',
    prove: async (stage) => {
      const reachable = await stage.target();
      const wrong = withWrongPassword(reachable);
      if (wrong === undefined) return;
      await deniesAndLeavesNothing(stage, wrong, 'connect with a wrong password');
      await stage.works({ ...reachable, answer: await stage.connect(reachable) }, 'with the right password');
    },
  },
  {
    method,
    promise: 'tells its credentials in no answer, error or log',
    prove: async (stage) => {
      const reachable = await stage.target();
      const wrong = withWrongPassword(reachable);
      const told: unknown[] = wrong === undefined ? [] : [await deniesAndLeavesNothing(stage, wrong, 'connect with a wrong password')];
      const answers = [await stage.connect(reachable), await stage.connect(reachable), ...(await stage.list())];
      for (const { connection } of answers)
        assert.ok(!('chap' in connection) || connection.chap === undefined, 'an answer has credentials');
      const sizeBytes = stage.sizeBytes * 2;
      await stage.disconnect(reachable);
      const tooLarge = stage.connect({ ...reachable, request: { ...reachable.request, sizeBytes } });
      told.push(await refused(tooLarge, 'FAILED_PRECONDITION', 'connect to a device of another size'));
      told.push(answers, stage.scene.logged);
      const shown = `${inspect(told, { depth: 20, maxStringLength: null, maxArrayLength: null })} ${JSON.stringify(answers)}`;
      for (const { request } of [reachable, wrong ?? reachable]) {
        const password = passwordOf(request.connection);
        assert.ok(password === undefined || !shown.includes(password), 'an answer, an error or the log shows the password');
      }
    },
  },
];
