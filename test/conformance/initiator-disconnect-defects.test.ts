import { setTimeout as pause } from 'node:timers/promises';
import { VbsError } from '@vbs/core';
import test from 'ava';
import { caught } from './initiator-caught.js';

const flushed = 'disconnect › brings to the target what was written and not flushed, and takes the device away';

test.serial('what was not flushed is lost', caught, [flushed], (nodeOf) => ({
  methods: (real, { name }) => ({
    disconnect: async (call, request) => {
      const device = nodeOf(name).devices.get(request.connection.key);
      if (device === undefined) return await real.disconnect(call, request);
      const flush = device.flush.bind(device);
      device.flush = () => undefined;
      await real.disconnect(call, request).finally(() => {
        device.flush = flush;
      });
    },
  }),
}));

test.serial(
  'the absent is refused',
  caught,
  [
    'disconnect › succeeds for what is absent',
    'disconnect › succeeds for two callers at once',
    'disconnect › that races with connect leaves either, and a repeat of each does what it says',
    'disconnect › settles soon when it is aborted, and a repeat takes the device away',
  ],
  () => ({
    methods: (real) => ({
      disconnect: async (call, request) => {
        // The end of a test may disconnect what is away.
        if (call.epoch > 1_000) return await real.disconnect(call, request);
        const there = await real.listConnections(call);
        if (!there.some(({ connection }) => connection.key === request.connection.key)) throw new VbsError('NOT_FOUND', 'not connected');
        await real.disconnect(call, request);
      },
    }),
  }),
);

test.serial(
  'a held device is taken away',
  caught,
  ['disconnect › refuses with FAILED_PRECONDITION while something holds the device, which stays as it was'],
  (nodeOf) => ({
    methods: (real, { name }) => ({
      disconnect: async (call, request) => {
        const device = nodeOf(name).devices.get(request.connection.key);
        if (device !== undefined) device.holders = 0;
        await real.disconnect(call, request);
      },
    }),
  }),
);

test.serial(
  'a refusal under a holder has half an effect',
  caught,
  ['disconnect › refuses with FAILED_PRECONDITION while something holds the device, which stays as it was'],
  (nodeOf) => ({
    methods: (real, { name }) => ({
      disconnect: async (call, request) => {
        const device = nodeOf(name).devices.get(request.connection.key);
        if ((device?.holders ?? 0) > 0) Object.assign(device ?? {}, { sizeBytes: 0 });
        await real.disconnect(call, request);
      },
    }),
  }),
);

test.serial(
  'the session ends under the neighbours that share it',
  caught,
  ['disconnect › leaves the session to the neighbours that share it, and the last one ends it'],
  (nodeOf) => ({
    methods: (real, { name }) => ({
      disconnect: async (call, request) => {
        await real.disconnect(call, request);
        const { devices } = nodeOf(name);
        const iqn = request.connection.key.split('/', 1)[0] ?? '';
        for (const key of devices.keys()) if (key.startsWith(`${iqn}/`)) devices.delete(key);
      },
    }),
  }),
);

test.serial(
  'every session ends',
  caught,
  [
    'disconnect › leaves the I/O of other devices undisturbed',
    'disconnect › leaves the session to the neighbours that share it, and the last one ends it',
  ],
  (nodeOf) => ({
    methods: (real, { name }) => ({
      disconnect: async (call, request) => {
        await real.disconnect(call, request);
        nodeOf(name).devices.clear();
      },
    }),
  }),
);

test.serial('only what this process connected is known', caught, ['disconnect › takes away what was connected before a restart'], () => ({
  methods: (real) => {
    const known = new Set<string>();
    return {
      connect: async (call, request) => {
        known.add(request.attachmentId);
        return await real.connect(call, request);
      },
      disconnect: async (call, request) => {
        if (known.has(request.attachmentId) || call.epoch > 1_000) await real.disconnect(call, request);
      },
    };
  },
}));

test.serial(
  'who lost its lease disconnects',
  caught,
  ['disconnect › refuses a call with a lower epoch than one that was seen, with ABORTED'],
  () => ({
    methods: (real) => ({ disconnect: (call, request) => real.disconnect({ ...call, epoch: call.epoch === 6 ? 7 : call.epoch }, request) }),
  }),
);

const lists = 'listConnections › lists each connection once, with its key, path and size, and nothing else';

test.serial('what nobody connected is listed', caught, [lists], (nodeOf) => ({
  methods: (real, { name }) => ({
    listConnections: async (call) => {
      const there = await real.listConnections(call);
      const keys = there.map(({ connection }) => connection.key);
      const idle = [...nodeOf(name).targets.values()].filter(({ key }) => !keys.includes(key));
      const shown = idle.map(({ key, iqn, lun, serial }) => ({ protocol: 'iscsi', key, portals: [], iqn, lun, serial }) as const);
      // At the end of a test everything is looked for once more.
      return idle.length < 1 || there.length < 1
        ? there
        : [...there, ...shown.map((connection) => ({ connection, devicePath: '/dev/none', sizeBytes: 0 }))];
    },
  }),
}));

test.serial('the list tells no size', caught, [lists], () => ({
  methods: (real) => ({ listConnections: async (call) => (await real.listConnections(call)).map((one) => ({ ...one, sizeBytes: 0 })) }),
}));

test.serial(
  'the list omits what another process connected',
  caught,
  ['listConnections › still lists after a restart what the node is connected to'],
  () => ({
    methods: (real) => {
      const known = new Set<string>();
      return {
        connect: async (call, request) => {
          known.add(request.connection.key);
          return await real.connect(call, request);
        },
        listConnections: async (call) => (await real.listConnections(call)).filter(({ connection }) => known.has(connection.key)),
      };
    },
  }),
);

test.serial(
  'the node keeps the old size',
  caught,
  ["extendConnection › shows the export's new size, and keeps its bytes and the neighbour's I/O"],
  () => ({
    methods: () => ({ extendConnection: async (_call, { sizeBytes }) => ({ sizeBytes }) }),
  }),
);

test.serial(
  'a volume that was disconnected is not connected again',
  caught,
  [
    'disconnect › makes room for the same connection again',
    'disconnect › leaves the session to the neighbours that share it, and the last one ends it',
    'disconnect › that races with connect leaves either, and a repeat of each does what it says',
  ],
  () => ({
    methods: (real) => {
      const away = new Set<string>();
      return {
        connect: async (call, request) => {
          if (away.has(request.connection.key)) throw new VbsError('FAILED_PRECONDITION', 'its record is shut');
          return await real.connect(call, request);
        },
        disconnect: async (call, request) => {
          const there = await real.listConnections(call);
          await real.disconnect(call, request);
          if (there.some(({ connection }) => connection.key === request.connection.key)) away.add(request.connection.key);
        },
      };
    },
  }),
);

test.serial(
  'an aborted disconnect hangs',
  caught,
  ['disconnect › settles soon when it is aborted, and a repeat takes the device away'],
  () => ({
    methods: (real) => ({
      disconnect: async (call, request) => {
        await pause(10);
        return call.signal.aborted ? new Promise<never>(() => undefined) : await real.disconnect(call, request);
      },
    }),
  }),
);
