import { setTimeout as pause } from 'node:timers/promises';
import { type ConnectRequest, type NodeConnection, VbsError } from '@vbs/core';
import test from 'ava';
import { caught, runWith } from './initiator-caught.js';

test.serial('initiatorConformance › an initiator without a defect fails nothing', async (t) => {
  t.timeout(120_000);
  const { failed, passed } = await runWith(() => ({}));
  t.deepEqual([...failed], []);
  t.true(passed.length > 35);
});

test.serial(
  'the node draws a name at each start',
  caught,
  ['getIdentity › answers the names of this node, the same after a restart'],
  () => ({
    methods: () => {
      const name = `iqn.2009-01.example:${performance.now()}`;
      return { getIdentity: async () => ({ initiators: [name] }) };
    },
  }),
);

test.serial(
  'the kernel name of the moment is answered',
  caught,
  ['connect › answers a path that means this volume alone, in whatever order volumes are connected'],
  (nodeOf) => ({
    methods: (real, { name }) => ({
      connect: async (call, request) => {
        const answer = await real.connect(call, request);
        return { ...answer, devicePath: `/dev/${nodeOf(name).device(answer.devicePath).kernelName}` };
      },
    }),
  }),
);

const otherSize = 'connect › refuses a device of another size with FAILED_PRECONDITION, and disconnects it again';
const otherSerial = 'connect › refuses a device with another serial with FAILED_PRECONDITION, and disconnects it again';
const noSecrets = 'connect › tells its credentials in no answer, error or log';

test.serial('the size is not looked at', caught, [otherSize, noSecrets], (nodeOf) => ({
  methods: (real, { name }) => ({
    connect: async (call, request) => {
      const sizeBytes = nodeOf(name).targets.get(request.connection.key)?.bytes.length ?? request.sizeBytes;
      return await real.connect(call, { ...request, sizeBytes });
    },
  }),
}));

test.serial('the serial is not looked at', caught, [otherSerial], (nodeOf) => ({
  methods: (real, { name }) => ({
    connect: async (call, request) => {
      const { connection } = request as ConnectRequest<'iscsi'>;
      const serial = nodeOf(name).targets.get(connection.key)?.serial ?? connection.serial;
      return await real.connect(call, { ...request, connection: { ...connection, serial } });
    },
  }),
}));

test.serial('what is refused stays connected', caught, [otherSize, otherSerial], (nodeOf) => ({
  methods: (real, { name }) => ({
    connect: (call, request) =>
      real.connect(call, request).catch((error: VbsError) => {
        const { connection } = request as ConnectRequest<'iscsi'>;
        if (error.code === 'FAILED_PRECONDITION') nodeOf(name).login(connection.key, connection.chap?.password.reveal());
        throw error;
      }),
  }),
}));

test.serial('a repeat connects anew', caught, ['connect › is idempotent, and leaves the I/O of the device alone'], (nodeOf) => ({
  methods: (real, { name }) => ({
    connect: async (call, request) => {
      const node = nodeOf(name);
      // What is written and not flushed goes with it.
      if (node.devices.size === 1) node.devices.delete(request.connection.key);
      return await real.connect(call, request);
    },
  }),
}));

test.serial(
  'a read-only device swallows writes',
  caught,
  ['connect › brings a read-only export to a device that takes no writes'],
  (nodeOf) => ({
    methods: (real, { name }) => ({
      connect: async (call, request) => {
        const answer = await real.connect(call, request);
        if (request.access === 'read-only') Object.assign(nodeOf(name).device(answer.devicePath), { write: () => undefined });
        return answer;
      },
    }),
  }),
);

test.serial('a second caller is refused', caught, ['connect › brings one device when two callers race with the same request'], () => ({
  methods: (real) => {
    const going = new Set<string>();
    return {
      connect: async (call, request) => {
        if (going.has(request.attachmentId)) throw new VbsError('FAILED_PRECONDITION', 'is being connected');
        going.add(request.attachmentId);
        await pause(5);
        try {
          return await real.connect(call, request);
        } finally {
          going.delete(request.attachmentId);
        }
      },
    };
  },
}));

test.serial('the device that came last is answered', caught, ['connect › gives each of many at once its own bytes'], (nodeOf) => ({
  methods: (real, { name }) => ({
    connect: async (call, request) => {
      const known = new Set(nodeOf(name).devices.keys());
      const answer = await real.connect(call, request);
      if (known.has(request.connection.key)) return answer;
      const last = [...nodeOf(name).devices.values()].at(-1);
      return { ...answer, devicePath: last?.path ?? answer.devicePath };
    },
  }),
}));

test.serial(
  'an aborted call is in the way of its repeat',
  caught,
  ['connect › settles soon when it is aborted, and a repeat brings the device'],
  () => ({
    methods: (real) => {
      const begun = new Set<string>();
      return {
        connect: async (call, request) => {
          if (begun.has(request.attachmentId)) throw new VbsError('ABORTED', 'is being connected');
          begun.add(request.attachmentId);
          await pause(40);
          if (call.signal.aborted) throw new VbsError('DEADLINE_EXCEEDED', 'aborted');
          begun.delete(request.attachmentId);
          return await real.connect(call, request);
        },
      };
    },
  }),
);

test.serial(
  'a call that is aborted hangs',
  caught,
  [
    'connect › settles soon when it is aborted, and a repeat brings the device',
    'connect › leaves nothing that disconnect does not clear away, when it is aborted',
  ],
  () => ({
    methods: (real) => ({
      connect: async (call, request) => {
        await pause(10);
        return call.signal.aborted ? new Promise<never>(() => undefined) : await real.connect(call, request);
      },
    }),
  }),
);

test.serial(
  'what an aborted call left is of nobody',
  caught,
  ['connect › leaves nothing that disconnect does not clear away, when it is aborted'],
  () => ({
    methods: (real) => {
      const left = new Set<string>();
      return {
        connect: async (call, request) => {
          left.delete(request.attachmentId);
          const answer = await real.connect(call, request);
          await pause(30);
          if (!call.signal.aborted) return answer;
          left.add(request.attachmentId);
          throw new VbsError('DEADLINE_EXCEEDED', 'aborted');
        },
        disconnect: async (call, request) => {
          if (!left.has(request.attachmentId)) await real.disconnect(call, request);
        },
      };
    },
  }),
);

test.serial(
  'any id will do',
  caught,
  ['connect › refuses an id that is no attachment id with INVALID_ARGUMENT, and connects nothing'],
  () => ({
    methods: (real) => ({
      connect: (call, request) =>
        real.connect(call, /^att-/.test(request.attachmentId) ? request : { ...request, attachmentId: 'att-00000000000000000' }),
    }),
  }),
);

test.serial(
  'who lost its lease connects',
  caught,
  ['connect › refuses a call with a lower epoch than one that was seen, with ABORTED'],
  () => ({
    methods: (real) => ({ connect: (call, request) => real.connect({ ...call, epoch: call.epoch === 6 ? 7 : call.epoch }, request) }),
  }),
);

const dead = 'connect › answers UNAVAILABLE within its limit when the target is dead, and leaves nothing that keeps it from a later try';

test.serial('a dead target is told as anything', caught, [dead], () => ({
  methods: (real) => ({
    connect: (call, request) =>
      real.connect(call, request).catch((error: VbsError) => {
        throw error.code === 'UNAVAILABLE' ? new VbsError('INTERNAL', 'exit code 8') : error;
      }),
  }),
}));

test.serial('a dead target is waited for', caught, [dead], () => ({
  methods: (real) => ({
    connect: (call, request) =>
      real.connect(call, request).catch((error: VbsError) => {
        if (error.code === 'UNAVAILABLE') return new Promise<never>(() => undefined);
        throw error;
      }),
  }),
}));

test.serial(
  'a target that came back is not found again',
  caught,
  ['connect › answers as before when the target was dead and is back, and the device works again'],
  (nodeOf) => ({
    methods: (real, { name }) => ({
      connect: async (call, request) => {
        const device = nodeOf(name).devices.get(request.connection.key);
        if ((device?.target.deaths ?? 0) > 0) throw new VbsError('UNAVAILABLE', 'the session is broken');
        return await real.connect(call, request);
      },
    }),
  }),
);

const refused = 'connect › answers PERMISSION_DENIED when the target refuses this node, and leaves nothing';
const wrongPassword = 'connect › answers PERMISSION_DENIED to a wrong password, and takes the right one afterwards';

test.serial('a refusal is told as a dead target', caught, [refused, wrongPassword, noSecrets], () => ({
  methods: (real) => ({
    connect: (call, request) =>
      real.connect(call, request).catch((error: VbsError) => {
        throw error.code === 'PERMISSION_DENIED' ? new VbsError('UNAVAILABLE', 'login failed') : error;
      }),
  }),
}));

test.serial('the record of a refused connection stays', caught, [refused, wrongPassword, noSecrets], () => ({
  methods: (real) => {
    const records = new Map<string, NodeConnection>();
    return {
      connect: (call, request) =>
        real.connect(call, request).catch((error: VbsError) => {
          if (error.code === 'PERMISSION_DENIED') {
            const { key } = request.connection;
            records.set(key, { connection: request.connection, devicePath: `/dev/${key}`, sizeBytes: 0 });
          }
          throw error;
        }),
      listConnections: async (call) => {
        const there = await real.listConnections(call);
        const keys = there.map(({ connection }) => connection.key);
        return [...there, ...[...records.values()].filter(({ connection }) => !keys.includes(connection.key))];
      },
    };
  },
}));

test.serial('the credentials are answered', caught, [noSecrets], () => ({
  methods: (real) => ({
    connect: async (call, request) => ({ ...(await real.connect(call, request)), connection: request.connection }),
  }),
}));

const revealed = (request: { readonly connection: unknown }): string =>
  (request as ConnectRequest<'iscsi'>).connection.chap?.password.reveal() ?? 'no password';

test.serial('the password is in an error', caught, [noSecrets], () => ({
  methods: (real) => ({
    connect: (call, request) =>
      real.connect(call, request).catch((error: VbsError) => {
        throw new VbsError(error.code, error.message, { context: { ...error.context, command: `--value ${revealed(request)}` } });
      }),
  }),
}));

test.serial('the password is in the log', caught, [noSecrets], () => ({
  methods: (real, { log }) => ({
    connect: (call, request) => {
      log.debug({ command: ['iscsiadm', '--value', revealed(request)] }, 'run');
      return real.connect(call, request);
    },
  }),
}));

test.serial('what is connected is disturbed by another', caught, ['connect › leaves the I/O of other devices undisturbed'], (nodeOf) => ({
  methods: (real, { name }) => ({
    connect: async (call, request) => {
      const { devices } = nodeOf(name);
      if (devices.size === 2 && !devices.has(request.connection.key)) devices.delete([...devices.keys()][0] ?? '');
      return await real.connect(call, request);
    },
  }),
}));

test.serial(
  'what an earlier process connected is answered without its size',
  caught,
  ['connect › answers the same after a restart'],
  () => ({
    methods: (real) => {
      const known = new Set<string>();
      return {
        connect: async (call, request) => {
          const there = (await real.listConnections(call)).some(({ connection }) => connection.key === request.connection.key);
          const answer = await real.connect(call, request);
          if (!there) known.add(request.connection.key);
          return known.has(request.connection.key) ? answer : { ...answer, sizeBytes: 0 };
        },
      };
    },
  }),
);
