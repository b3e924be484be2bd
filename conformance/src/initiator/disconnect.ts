import assert from 'node:assert/strict';
import { moments } from '../kit/abort.js';
import { holds, scribble } from '../kit/bytes.js';
import { raced, refused } from '../kit/expect.js';
import type { Proof } from '../kit/test.js';
import type { HoldPath } from './setup.js';
import type { InitiatorStage } from './stage.js';

const method = 'disconnect';

export const disconnectProofs: readonly Proof<InitiatorStage>[] = [
  {
    method,
    promise: 'brings to the target what was written and not flushed, and takes the device away',
    prove: async (stage) => {
      const connected = await stage.connected();
      const content = await scribble(await stage.device(connected), connected.content, 'not flushed');
      await stage.disconnect(connected);
      await stage.gone(connected);
      await holds(connected.target.bytes, content, 'after disconnect, the target');
    },
  },
  {
    method,
    promise: 'succeeds for what is absent',
    prove: async (stage) => {
      const reachable = await stage.target();
      await stage.disconnect(reachable);
      const connected = { ...reachable, answer: await stage.connect(reachable) };
      for (let time = 0; time < 2; time++) await stage.disconnect(connected);
      await stage.gone(connected);
      await reachable.target.stop();
      try {
        await stage.disconnect(connected);
      } finally {
        await reachable.target.start();
      }
    },
  },
  {
    method,
    promise: 'makes room for the same connection again',
    prove: async (stage) => {
      const connected = await stage.connected();
      for (let round = 0; round < 3; round++) {
        await stage.disconnect(connected);
        assert.deepEqual(await stage.connect(connected), connected.answer);
        await stage.works(connected, `round ${round}`);
      }
    },
  },
  {
    method,
    promise: 'takes away what was connected before a restart',
    prove: async (stage) => {
      const connected = await stage.connected();
      await stage.scene.reopen();
      await stage.disconnect(connected);
      await stage.gone(connected);
    },
  },
  {
    method,
    promise: 'succeeds for two callers at once',
    prove: async (stage) => {
      const connected = await stage.connected();
      await raced(
        [1, 2].map(() => stage.disconnect(connected)),
        method,
      );
      await stage.disconnect(connected);
      await stage.gone(connected);
    },
  },
  {
    method,
    promise: 'that races with connect leaves either, and a repeat of each does what it says',
    prove: async (stage) => {
      const connected = await stage.connected();
      await raced<unknown>([stage.disconnect(connected), stage.connect(connected)], 'connect and disconnect');
      const again = { ...connected, answer: await stage.connect(connected) };
      await stage.works(again);
      await raced<unknown>([stage.connect(again), stage.disconnect(again)], 'connect and disconnect');
      await stage.disconnect(again);
      await stage.gone(again);
    },
  },
  {
    method,
    promise: 'settles soon when it is aborted, and a repeat takes the device away',
    prove: async (stage) => {
      for (const moment of moments) {
        const connected = await stage.connected();
        await stage.scene.abort(moment, (call) => stage.disconnect(connected, call));
        await stage.disconnect(connected);
        await stage.gone(connected);
        await holds(connected.target.bytes, connected.content, 'after disconnect, the target');
      }
    },
  },
  {
    method,
    promise: 'leaves the I/O of other devices undisturbed',
    prove: async (stage) => {
      const neighbour = await stage.busyNeighbour();
      for (let round = 0; round < 3; round++) await stage.disconnect(await stage.connected());
      await neighbour.undisturbed();
    },
  },
  {
    method,
    promise: 'refuses a call with a lower epoch than one that was seen, with ABORTED',
    prove: async (stage) => {
      const reachable = await stage.target();
      const connected = { ...reachable, answer: await stage.connect(reachable, { epoch: 7 }) };
      await refused(stage.disconnect(connected, { epoch: 6 }), 'ABORTED', 'disconnect by who lost its lease');
      await stage.works(connected, 'after the refusal');
    },
  },
];

/** Neighbours on one session; nothing where the protocol has no such thing. */
export function besideProofs(shared: boolean): readonly Proof<InitiatorStage>[] {
  if (!shared) return [];
  return [
    {
      method,
      promise: 'leaves the session to the neighbours that share it, and the last one ends it',
      prove: async (stage) => {
        const first = await stage.connected();
        const second = await stage.connected({ beside: first });
        await stage.works(first);
        const going = await stage.busyNeighbour(second);
        await stage.disconnect(first);
        await going.undisturbed();
        await stage.gone(first);
        const again = { ...first, answer: await stage.connect(first) };
        await stage.works(again, 'connected again');
        for (const connected of [again, second]) await stage.disconnect(connected);
        for (const connected of [again, second]) await stage.gone(connected);
      },
    },
  ];
}

/** A device that something of the node holds; nothing where nobody can. */
export function heldProofs(hold: HoldPath | null): readonly Proof<InitiatorStage>[] {
  if (hold === null) return [];
  return [
    {
      method,
      promise: 'refuses with FAILED_PRECONDITION while something holds the device, which stays as it was',
      prove: async (stage) => {
        const connected = await stage.connected();
        const letGo = await hold(stage.scene, connected.answer.devicePath);
        try {
          const going = await stage.busyNeighbour(connected);
          for (let time = 0; time < 2; time++) {
            await refused(stage.disconnect(connected), 'FAILED_PRECONDITION', 'disconnect under a holder');
          }
          await going.undisturbed();
          assert.deepEqual(await stage.connect(connected), connected.answer, 'connect under a holder');
        } finally {
          await letGo();
        }
        await stage.disconnect(connected);
        await stage.gone(connected);
      },
    },
  ];
}
