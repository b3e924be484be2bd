import { join } from 'node:path';
import { targetExporterConformance } from '@vbs/conformance';
import { type Access, type ConnectionInfo, VbsError } from '@vbs/core';
import nbdPlugin from '@vbs/plugin-nbd';
import { NbdClient } from '@vbs/plugin-nbd/client';
import test from 'ava';
import { breakPlugin, type Defect } from './break-plugin.js';
import { makeFileVolume } from './file-volume.js';
import { ofSameMethods, runKit } from './run-kit.js';

const settleLimitMs = 2_000;

function run(defect: Defect<'targetExporter'>, wanted?: (title: string) => boolean) {
  const plugin = breakPlugin(nbdPlugin, 'targetExporter', defect);
  return runKit(
    (collect) =>
      targetExporterConformance(collect, plugin, {
        // A port that is free now may be another test's a moment later.
        config: async (directory) => ({ socket: join(directory, 'nbd.sock') }),
        makeVolume: makeFileVolume,
        connect: ({ uri }: ConnectionInfo<'nbd'>) => NbdClient.connect({ uri }),
        initiators: ['nobody in particular'],
        sizeBytes: 128 * 1024,
        settleLimitMs,
      }),
    wanted,
  );
}

/** An exporter with the defect fails exactly these of the tests of their methods. */
const caught = test.macro({
  title: (told, ...[titles]: readonly [readonly string[], Defect<'targetExporter'>]) =>
    `targetExporterConformance › ${told}: caught by ${titles[0]}`,
  exec: async (t, titles: readonly string[], defect: Defect<'targetExporter'>) => {
    t.timeout(120_000);
    const { failed } = await run(defect, ofSameMethods('targetExporter', titles));
    t.deepEqual([...failed.keys()].sort(), titles.map((title) => `targetExporter › ${title}`).sort());
  },
});

test.serial('targetExporterConformance › an exporter without a defect fails nothing', async (t) => {
  t.timeout(120_000);
  const { failed, passed } = await run({});
  t.deepEqual([...failed], []);
  t.true(passed.length > 35);
});

test.serial('a read-only export takes writes', caught, ['createExport › lets nobody write to a read-only export'], {
  methods: (real) => {
    const asked = new Map<string, Access>();
    return {
      createExport: async (call, request) => {
        if ((asked.get(request.exportId) ?? request.access) !== request.access) throw new VbsError('ALREADY_EXISTS', 'another access mode');
        const connection = await real.createExport(call, { ...request, access: 'read-write' });
        asked.set(request.exportId, request.access);
        return connection;
      },
      listExports: async (call) => (await real.listExports(call)).map((one) => ({ ...one, access: asked.get(one.exportId) ?? one.access })),
    };
  },
});

test.serial(
  'another volume under the same id is answered',
  caught,
  ['createExport › refuses an id that serves another volume with ALREADY_EXISTS'],
  {
    methods: (real) => ({
      createExport: async (call, request) => {
        const there = (await real.listExports(call)).find(
          ({ exportId, access }) => exportId === request.exportId && access === request.access,
        );
        // One that was revoked is refused as before.
        return there === undefined || there.sessions === undefined
          ? real.createExport(call, request)
          : real.createExport(call, request).catch((error: VbsError) => {
              if (error.code === 'ALREADY_EXISTS') return there.connection;
              throw error;
            });
      },
    }),
  },
);

test.serial(
  'a missing volume is said to be a lack of the daemon',
  caught,
  ["createExport › answers NOT_FOUND when the volume's locator leads nowhere, and makes nothing"],
  {
    methods: (real) => ({
      createExport: (call, request) =>
        real.createExport(call, request).catch((error: VbsError) => {
          throw error.code === 'NOT_FOUND' ? new VbsError('UNAVAILABLE', error.message) : error;
        }),
    }),
  },
);

test.serial('one volume cannot be exported twice', caught, ['createExport › serves one volume by two exports'], {
  methods: (real) => {
    const exportOf = new Map<string, string>();
    return {
      createExport: async (call, request) => {
        const other = exportOf.get(request.volume.id) ?? request.exportId;
        const hostile = !/^exp-[0-9a-f]{17}$/.test(request.exportId);
        if (other !== request.exportId && !hostile) throw new VbsError('FAILED_PRECONDITION', 'the volume is exported already');
        const connection = await real.createExport(call, request);
        exportOf.set(request.volume.id, request.exportId);
        return connection;
      },
    };
  },
});

const usual = ['read-only', 'multi-attach', 'fence', 'extend'] as const;

test.serial('chap is declared and not asked for', caught, ['createExport › asks for the CHAP secret where it declares chap'], {
  provider: { capabilities: [...usual, 'chap'] },
  opened: { capabilities: new Set([...usual, 'chap']) },
});

test.serial('acl is declared and not looked at', caught, ['createExport › lets in only whom it was told to where it declares acl'], {
  provider: { capabilities: [...usual, 'acl'] },
  opened: { capabilities: new Set([...usual, 'acl']) },
});

test.serial(
  'an abort of a create is not heard',
  caught,
  ['createExport › settles soon when it is aborted, and a repeat makes the export whole'],
  {
    methods: (real) => ({
      createExport: async (call, request) => {
        const connection = await real.createExport({ ...call, signal: AbortSignal.timeout(10_000) }, request);
        if (call.signal.aborted) await new Promise((resolve) => setTimeout(resolve, settleLimitMs * 1.5));
        return connection;
      },
    }),
  },
);

test.serial('a delete drops the sessions', caught, ['deleteExport › refuses while somebody is connected, who notices nothing'], {
  methods: (real) => ({
    deleteExport: async (call, request) => {
      const there = (await real.listExports(call)).some(({ exportId }) => exportId === request.exportId);
      if (there) await real.revokeAccess(call, request);
      await real.deleteExport(call, request);
    },
  }),
});

test.serial('a delete drops the sessions of a neighbour', caught, ['deleteExport › leaves the I/O of other exports undisturbed'], {
  methods: (real) => ({
    deleteExport: async (call, request) => {
      const neighbour = (await real.listExports(call)).find(
        ({ exportId, sessions }) => exportId !== request.exportId && sessions?.length === 1,
      );
      if (neighbour !== undefined) await real.revokeAccess(call, neighbour);
      await real.deleteExport(call, request);
    },
  }),
});

test.serial(
  'the list knows no sessions that are there',
  caught,
  ['listExports › tells who is connected, as far as its protocol knows sessions'],
  {
    methods: (real) => ({ listExports: async (call) => (await real.listExports(call)).map((one) => ({ ...one, sessions: [] })) }),
  },
);

test.serial(
  'the list omits what nobody can write to',
  caught,
  ['listExports › lists each export once, with its connection, access and size, and nothing else'],
  {
    methods: (real) => ({ listExports: async (call) => (await real.listExports(call)).filter(({ access }) => access === 'read-write') }),
  },
);

const again = 'ensureExports › makes exports again after a restart, with the connections that they had';
const missing = 'ensureExports › makes what is missing, and leaves untouched what is there, while its I/O goes on';

test.serial('ensureExports makes nothing', caught, [again, missing], {
  methods: () => ({ ensureExports: async () => undefined }),
});

test.serial('an exporter comes back on another port', caught, [again], {
  instance: ({ config, ...instance }) => ({ ...instance, config: { port: 0, ...('socket' in config ? {} : config) } }),
});

test.serial('ensureExports makes everything anew', caught, [missing], {
  methods: (real) => ({
    ensureExports: async (call, { exports }) => {
      for (const request of exports) {
        const there = (await real.listExports(call)).find(({ exportId }) => exportId === request.exportId);
        if ((there?.sessions?.length ?? 0) > 0) {
          await real.revokeAccess(call, request);
          await real.deleteExport(call, request);
        }
      }
      await real.ensureExports(call, { exports });
    },
  }),
});

test.serial('ensureExports opens what was shut', caught, ['ensureExports › never opens again what revokeAccess shut'], {
  methods: (real) => {
    const shut = new Set<string>();
    return {
      revokeAccess: async (call, request) => {
        shut.add(request.exportId);
        await real.revokeAccess(call, request);
      },
      ensureExports: async (call, { exports }) => {
        for (const { exportId } of exports) if (shut.has(exportId)) await real.deleteExport(call, { exportId });
        await real.ensureExports(call, { exports });
      },
    };
  },
});

test.serial('a fence takes the export away', caught, ['revokeAccess › ends every session, and lets nobody in'], {
  methods: (real) => ({
    revokeAccess: async (call, request) => {
      await real.revokeAccess(call, request);
      await real.deleteExport(call, request);
    },
  }),
});

test.serial('a fence shuts the neighbours too', caught, ['revokeAccess › leaves the I/O of other exports undisturbed'], {
  methods: (real) => ({
    revokeAccess: async (call, request) => {
      for (const { exportId } of await real.listExports(call)) await real.revokeAccess(call, { exportId });
      await real.revokeAccess(call, request);
    },
  }),
});

test.serial('an extension ends the sessions', caught, ["extendExport › shows the volume's new size, and ends no session"], {
  methods: (real) => ({
    extendExport: async (call, { exportId, volume }) => {
      await real.revokeAccess(call, { exportId });
      return real.extendExport(call, { exportId, volume });
    },
  }),
});

const absent = 'for an absent export';

test.serial('the fence of an absent export succeeds', caught, [`revokeAccess › answers NOT_FOUND ${absent}`], {
  methods: (real) => ({
    revokeAccess: (call, request) =>
      real.revokeAccess(call, request).catch((error: VbsError) => {
        if (error.code !== 'NOT_FOUND') throw error;
      }),
  }),
});

test.serial('an absent export is extended', caught, [`extendExport › answers NOT_FOUND ${absent}, and makes none`], {
  methods: (real) => ({
    extendExport: (call, request) =>
      real.extendExport(call, request).catch((error: VbsError) => {
        if (error.code !== 'NOT_FOUND') throw error;
        return { sizeBytes: request.volume.sizeBytes };
      }),
  }),
});
