import assert from 'node:assert/strict';
import type { Proof } from '../kit/test.js';
import { type InitiatorStage, withoutCredentials } from './stage.js';

export const identityProofs: readonly Proof<InitiatorStage>[] = [
  {
    method: 'getIdentity',
    promise: 'answers the names of this node, the same after a restart',
    prove: async (stage) => {
      const identity = await stage.initiator.getIdentity(stage.call());
      assert.ok(identity.initiators.length > 0, 'the node has no name');
      for (const name of identity.initiators) assert.ok(name.trim() !== '', 'a name is empty');
      assert.equal(new Set(identity.initiators).size, identity.initiators.length, 'a name is told twice');
      await stage.connected();
      await stage.scene.reopen();
      assert.deepEqual(await stage.initiator.getIdentity(stage.call()), identity);
    },
  },
];

export const listConnectionsProofs: readonly Proof<InitiatorStage>[] = [
  {
    method: 'listConnections',
    promise: 'lists each connection once, with its key, path and size, and nothing else',
    prove: async (stage) => {
      const before = (await stage.list()).map(({ connection }) => connection.key);
      const idle = await stage.target();
      const connected = [await stage.connected(), await stage.connected(), await stage.connected()];
      const [first] = connected;
      assert.ok(first);
      for (const { answer, request } of connected) {
        const found = await stage.listed({ ...first, request });
        assert.ok(found, `${request.connection.key} is not listed`);
        assert.equal(found.connection.protocol, request.connection.protocol);
        assert.equal(found.devicePath, answer.devicePath, 'the listed path');
        assert.equal(found.sizeBytes, stage.sizeBytes, 'the listed size');
      }
      await stage.leftNothing(idle, 'listConnections of what was never connected');
      await stage.disconnect(first);
      const keys = (await stage.list()).map(({ connection }) => connection.key).filter((key) => !before.includes(key));
      const mine = connected.slice(1).map(({ request }) => request.connection.key);
      const others = keys.filter((key) => !mine.includes(key));
      // What nobody connected may be there where the kernel shows it by itself, but no more than there is.
      const known = stage.options.appearsByItself === true ? [idle, first].map(({ request }) => request.connection.key) : [];
      assert.deepEqual(keys.filter((key) => mine.includes(key)).sort(), mine.sort());
      assert.deepEqual(
        others.filter((key) => !known.includes(key)),
        [],
        'listed, and connected by nobody',
      );
    },
  },
  {
    method: 'listConnections',
    promise: 'still lists after a restart what the node is connected to',
    prove: async (stage) => {
      const connected = await stage.connected();
      const before = await stage.listed(connected);
      await stage.scene.reopen();
      assert.deepEqual(await stage.listed(connected), before);
      await stage.works(connected);
    },
  },
];

export const extendConnectionProofs: readonly Proof<InitiatorStage>[] = [
  {
    method: 'extendConnection',
    needs: 'extend',
    promise: "shows the export's new size, and keeps its bytes and the neighbour's I/O",
    prove: async (stage) => {
      const connected = await stage.connected();
      const neighbour = await stage.busyNeighbour();
      await stage.works(connected);
      const sizeBytes = stage.sizeBytes * 2;
      await connected.target.grow(sizeBytes);
      const { attachmentId, connection } = connected.request;
      const request = { attachmentId, connection: withoutCredentials(connection), sizeBytes };
      for (let time = 0; time < 2; time++) {
        assert.deepEqual(await stage.initiator.extendConnection(stage.call(), request), { sizeBytes });
      }
      assert.equal((await stage.device(connected)).sizeBytes, sizeBytes, 'the size of the device');
      assert.equal((await stage.listed(connected))?.sizeBytes, sizeBytes, 'the listed size');
      connected.content = Buffer.concat([connected.content, Buffer.alloc(stage.sizeBytes)]);
      await stage.works(connected, 'into what was added');
      const grown = { ...connected, request: { ...connected.request, sizeBytes } };
      assert.deepEqual(await stage.connect(grown), { ...connected.answer, sizeBytes }, 'connect with the new size');
      await neighbour.undisturbed();
    },
  },
];
