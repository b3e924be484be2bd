import assert from 'node:assert/strict';
import { moments } from '../kit/abort.js';
import { holds, pattern } from '../kit/bytes.js';
import { raced, refused } from '../kit/expect.js';
import { hostileIds } from '../kit/ids.js';
import type { Proof } from '../kit/test.js';
import type { Connected, InitiatorStage, Reachable } from './stage.js';

const method = 'connect';

/** Names that the kernel gives in the order of discovery: after a reboot they are another's. */
const passingName = /^\/dev\/(sd[a-z]+|vd[a-z]+|xvd[a-z]+|hd[a-z]+|dm-\d+|nbd\d+|loop\d+|nvme\d+n\d+)(p?\d+)?$/;

export const connectProofs: readonly Proof<InitiatorStage>[] = [
  {
    method,
    promise: "brings the target's bytes to a device, and what is written there to the target",
    prove: async (stage) => {
      const connected = await stage.connected();
      assert.equal((await stage.device(connected)).sizeBytes, stage.sizeBytes, 'the size of the device');
      assert.equal(connected.answer.sizeBytes, stage.sizeBytes, 'sizeBytes of the answer');
      assert.equal(connected.answer.connection.key, connected.request.connection.key, 'the key of the answer');
      await holds(await stage.device(connected), connected.content, 'the device');
      await stage.works(connected);
    },
  },
  {
    method,
    promise: 'is idempotent, and leaves the I/O of the device alone',
    prove: async (stage) => {
      const connected = await stage.connected();
      const going = await stage.busyNeighbour(connected);
      for (let time = 0; time < 2; time++) assert.deepEqual(await stage.connect(connected), connected.answer, 'the answer of the repeat');
      await going.undisturbed();
    },
  },
  {
    method,
    promise: 'answers the same after a restart',
    prove: async (stage) => {
      const connected = await stage.connected();
      await stage.scene.reopen();
      assert.deepEqual(await stage.connect(connected), connected.answer);
      await stage.works(connected);
    },
  },
  {
    method,
    promise: 'answers a path that means this volume alone, in whatever order volumes are connected',
    prove: async (stage) => {
      const [first, second] = [await stage.connected(), await stage.connected()];
      assert.notEqual(first.answer.devicePath, second.answer.devicePath);
      for (const { answer } of [first, second]) {
        assert.ok(answer.devicePath.startsWith('/'), `${answer.devicePath} is no absolute path`);
        assert.ok(!passingName.test(answer.devicePath), `${answer.devicePath} may be another device after a reboot`);
      }
      for (const connected of [first, second]) await stage.disconnect(connected);
      for (const connected of [second, first]) {
        assert.equal((await stage.connect(connected)).devicePath, connected.answer.devicePath, 'the path in another order');
      }
      for (const connected of [first, second]) await stage.works(connected);
    },
  },
  {
    method,
    promise: 'refuses a device of another size with FAILED_PRECONDITION, and disconnects it again',
    prove: async (stage) => {
      for (const sizeBytes of [stage.sizeBytes * 2, stage.sizeBytes / 2]) {
        const reachable = await stage.target();
        const attempt = stage.connect({ ...reachable, request: { ...reachable.request, sizeBytes } });
        const error = await refused(attempt, 'FAILED_PRECONDITION', `connect to ${stage.sizeBytes} bytes that must be ${sizeBytes}`);
        const told = Object.keys(error.context).filter((key) => key !== 'instance' && key !== 'method');
        assert.ok(told.length > 0, 'context does not tell what was found');
        assert.equal(await stage.listed(reachable), undefined, 'what was refused is still connected');
        await stage.works({ ...reachable, answer: await stage.connect(reachable) }, 'as it is');
      }
    },
  },
  {
    method,
    promise: 'refuses a device with another serial with FAILED_PRECONDITION, and disconnects it again',
    prove: async (stage) => {
      const reachable = await stage.target();
      const { connection } = reachable.request;
      if (stage.options.showsSerial === false || !('serial' in connection)) return;
      const other = { ...reachable.request, connection: { ...connection, serial: `vol${'0'.repeat(17)}` } };
      await refused(stage.connect({ ...reachable, request: other }), 'FAILED_PRECONDITION', 'connect to a device with another serial');
      assert.equal(await stage.listed(reachable), undefined, 'what was refused is still connected');
      await stage.works({ ...reachable, answer: await stage.connect(reachable) }, 'with its own serial');
    },
  },
  {
    method,
    promise: 'brings a read-only export to a device that takes no writes',
    prove: async (stage) => {
      const connected = await stage.connected({ access: 'read-only' });
      const device = await stage.device(connected);
      await holds(device, connected.content, 'the device');
      const outcome = await device
        .write(0, pattern('a write that is refused', 4096))
        .then(() => device.flush())
        .then(
          () => 'done',
          () => 'refused',
        );
      await holds(connected.target.bytes, connected.content, 'behind a read-only export, the target');
      assert.equal(outcome, 'refused', 'a write to a read-only export was answered as done');
    },
  },
  {
    method,
    promise: 'brings one device when two callers race with the same request',
    prove: async (stage) => {
      const reachable = await stage.target();
      const answers = await raced(
        [1, 2].map(() => stage.connect(reachable)),
        method,
      );
      const answer = await stage.connect(reachable);
      for (const one of answers) assert.deepEqual(one, answer);
      await stage.works({ ...reachable, answer });
    },
  },
  {
    method,
    promise: 'gives each of many at once its own bytes',
    prove: async (stage) => {
      const targets: Reachable[] = [];
      for (let count = 0; count < (stage.options.atOnce ?? 8); count++) targets.push(await stage.target());
      const connect = async (reachable: Reachable): Promise<Connected> => ({
        ...reachable,
        answer: await stage.connect(reachable),
      });
      const all = await Promise.all(targets.map(connect));
      assert.equal(new Set(all.map(({ answer }) => answer.devicePath)).size, all.length, 'two connections have one device path');
      for (const { request, answer } of all) assert.equal(answer.connection.key, request.connection.key, 'the key of an answer');
      for (const connected of all) await holds(await stage.device(connected), connected.content, connected.answer.devicePath);
      await Promise.all(all.map((connected) => stage.works(connected)));
      const [away, kept] = [all.filter((_one, index) => index % 2 === 0), all.filter((_one, index) => index % 2 === 1)];
      await Promise.all(away.map((connected) => stage.disconnect(connected)));
      await Promise.all(kept.map((connected) => stage.works(connected, 'when others had gone')));
      for (const connected of away) await holds(connected.target.bytes, connected.content, 'the target of what was disconnected');
    },
  },
  {
    method,
    promise: 'settles soon when it is aborted, and a repeat brings the device',
    prove: async (stage) => {
      for (const moment of moments) {
        const reachable = await stage.target();
        await stage.scene.abort(moment, (call) => stage.connect(reachable, call));
        const connected = { ...reachable, answer: await stage.connect(reachable) };
        await stage.works(connected);
        await stage.disconnect(connected);
        await stage.gone(connected);
      }
    },
  },
  {
    method,
    promise: 'leaves nothing that disconnect does not clear away, when it is aborted',
    prove: async (stage) => {
      for (const moment of moments) {
        const reachable = await stage.target();
        await stage.scene.abort(moment, (call) => stage.connect(reachable, call));
        await stage.disconnect(reachable);
        assert.equal(await stage.listed(reachable), undefined, 'after disconnect, a connection is left');
      }
    },
  },
  {
    method,
    promise: 'leaves the I/O of other devices undisturbed',
    prove: async (stage) => {
      const neighbour = await stage.busyNeighbour();
      for (let round = 0; round < 3; round++) await stage.works(await stage.connected());
      await neighbour.undisturbed();
    },
  },
  {
    method,
    promise: 'refuses an id that is no attachment id with INVALID_ARGUMENT, and connects nothing',
    prove: async (stage) => {
      const reachable = await stage.target();
      for (const attachmentId of hostileIds('attachment')) {
        const request = { ...reachable.request, attachmentId };
        const what = `of ${JSON.stringify(attachmentId.slice(0, 60))}`;
        await refused(stage.initiator.connect(stage.call(), request), 'INVALID_ARGUMENT', `connect ${what}`);
        await refused(stage.initiator.disconnect(stage.call(), request), 'INVALID_ARGUMENT', `disconnect ${what}`);
        await stage.leftNothing(reachable, `connect ${what}`);
      }
    },
  },
  {
    method,
    promise: 'refuses a call with a lower epoch than one that was seen, with ABORTED',
    prove: async (stage) => {
      const reachable = await stage.target();
      await stage.connect(reachable, { epoch: 7 });
      await stage.disconnect(reachable, { epoch: 7 });
      await refused(stage.connect(reachable, { epoch: 6 }), 'ABORTED', 'connect by who lost its lease');
      await stage.leftNothing(reachable, 'connect by who lost its lease');
    },
  },
];
