import { truncate } from 'node:fs/promises';
import { type ExportRequest, type Machine, VbsError } from '@vbs/core';
import test, { type ExecutionContext } from 'ava';
import { type ToolFault, toolFaults } from '../../stand-ins/frame/faults.js';
import { segmentClient } from '../../stand-ins/vblade/segment-client.js';
import { call, MiB, node1, node2, StandInStage } from './exporter-stage.js';

type Exporter = Awaited<ReturnType<StandInStage['open']>>['contract'];
interface Trial {
  act(): Promise<unknown>;
  repeat(): Promise<unknown>;
  check(what: string): Promise<void>;
}

const mostCommands = 12;

/** Acts with the fault at each command, until the act ends without having met it; answers how many it met. */
async function atEveryCommand(t: ExecutionContext, stage: StandInStage, fault: ToolFault, make: () => Promise<Trial>): Promise<number> {
  for (let nth = 1; nth <= mostCommands; nth++) {
    const { act, repeat, check } = await make();
    stage.faults.arm(nth, fault);
    const error = await act().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const { met } = stage.faults;
    const line = stage.faults.ran.slice(-8).join(' | ');
    stage.faults.disarm();
    if (error !== undefined) t.true(error instanceof VbsError, String(error));
    await repeat();
    await check(`${fault} at command ${nth}: ${line}`);
    if (met === 0) return nth - 1;
  }
  throw new Error(`more than ${mostCommands} commands`);
}

async function removed(t: ExecutionContext, stage: StandInStage, exporter: Exporter, request: ExportRequest, what: string): Promise<void> {
  await exporter.deleteExport(call(), request);
  t.deepEqual(stage.running(), [], what);
  t.deepEqual(await exporter.listExports(call()), [], what);
  t.deepEqual(await stage.machine.find(call(), ''), [], what);
}

const creating = test.macro<[ToolFault]>({
  title: (_, fault) => `createExport › with a command that ${fault}, whichever it is, a repeat makes one export, and nothing leaks`,
  exec: async (t, fault) => {
    const stage = await StandInStage.make(t);
    const { contract } = await stage.open();
    const met = await atEveryCommand(t, stage, fault, async () => {
      const wanted = await stage.request();
      return {
        act: () => contract.createExport(call(), wanted),
        repeat: () => contract.createExport(call(), wanted),
        check: async (what) => {
          const [shown, ...more] = stage.vblade.segment.exports();
          t.deepEqual([shown?.path, more.length], [wanted.volume.locator.path, 0], what);
          await removed(t, stage, contract, wanted, what);
        },
      };
    });
    t.is(met, 2);
  },
});
for (const fault of toolFaults) test(creating, fault);

const restarting = test.macro<[ToolFault]>({
  title: (_, fault) => `extendExport › with a command that ${fault}, whichever it is, the export is not lost, and a repeat shows the size`,
  exec: async (t, fault) => {
    const stage = await StandInStage.make(t);
    const { contract } = await stage.open();
    const met = await atEveryCommand(t, stage, fault, async () => {
      const wanted = await stage.request();
      const { key } = await contract.createExport(call(), wanted);
      await truncate(stage.file(wanted), 2 * MiB);
      const volume = { ...wanted.volume, sizeBytes: 2 * MiB };
      return {
        act: () => contract.extendExport(call(), { exportId: wanted.exportId, volume }),
        repeat: async () => {
          t.is(stage.running().length, 1, fault);
          t.deepEqual(await contract.extendExport(call(), { exportId: wanted.exportId, volume }), { sizeBytes: 2 * MiB });
        },
        check: async (what) => {
          const client = await segmentClient(stage.vblade.segment, { key, mac: node1 });
          t.is(client.sizeBytes, 2 * MiB, what);
          await removed(t, stage, contract, wanted, what);
        },
      };
    });
    t.is(met, 3);
  },
});
for (const fault of toolFaults) test(restarting, fault);

const ensuring = test.macro<[ToolFault]>({
  title: (_, fault) => `ensureExports › with a command that ${fault}, whichever it is, the others are made, and a repeat makes the rest`,
  exec: async (t, fault) => {
    const stage = await StandInStage.make(t);
    const { contract } = await stage.open();
    const met = await atEveryCommand(t, stage, fault, async () => {
      const wanted = await Promise.all([stage.request(), stage.request({ access: 'read-only' })]);
      for (const one of wanted) await contract.createExport(call(), one);
      const before = [...stage.running()].sort();
      await stage.machine.kill();
      return {
        act: () => contract.ensureExports(call(), { exports: wanted }),
        repeat: async () => {
          t.true(stage.running().length > 0, fault);
          await contract.ensureExports(call(), { exports: wanted });
        },
        check: async (what) => {
          t.deepEqual([...stage.running()].sort(), before, what);
          for (const one of wanted) await contract.deleteExport(call(), one);
          t.deepEqual(stage.running(), [], what);
        },
      };
    });
    t.is(met, 4);
  },
});
for (const fault of toolFaults) test(ensuring, fault);

const revoking = test.macro<[ToolFault]>({
  title: (_, fault) => `revokeAccess › with a command that ${fault}, whichever it is, a repeat shuts the export, also for ensureExports`,
  exec: async (t, fault) => {
    const stage = await StandInStage.make(t);
    const met = await atEveryCommand(t, stage, fault, async () => {
      // It makes its folder for notes once.
      const { contract } = await stage.open();
      const wanted = await stage.request();
      await contract.createExport(call(), wanted);
      return {
        act: async () => {
          await contract.revokeAccess(call(), wanted);
          await contract.deleteExport(call(), wanted);
        },
        repeat: async () => {
          if (stage.running().length > 0) await contract.revokeAccess(call(), wanted);
          if ((await contract.listExports(call())).length === 0) return;
          await t.throwsAsync(contract.ensureExports(call(), { exports: [wanted] }), { code: 'FAILED_PRECONDITION' });
          t.deepEqual(stage.running(), []);
        },
        check: (what) => removed(t, stage, contract, wanted, what),
      };
    });
    t.is(met, 4);
  },
});
for (const fault of toolFaults) test(revoking, fault);

/** A machine on which ending a process, or a small file, goes wrong once. */
function failing(
  machine: Machine,
  method: 'stop' | 'writeFile' | 'find' | 'look' | 'readFile' | 'listDirectory',
  when: 'before' | 'after',
): Machine {
  let armed = true;
  return new Proxy(machine, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== 'function') return value;
      const bound = value.bind(target) as (...given: readonly unknown[]) => Promise<unknown>;
      if (key !== method || !armed) return bound;
      return async (...given: readonly unknown[]) => {
        armed = false;
        if (when === 'after') await bound(...given);
        throw new VbsError('DEADLINE_EXCEEDED', `${method} did not end in time`);
      };
    },
  });
}

const acts = {
  deleteExport: (exporter: Exporter, wanted: ExportRequest) => exporter.deleteExport(call(), wanted),
  revokeAccess: (exporter: Exporter, wanted: ExportRequest) => exporter.revokeAccess(call(), wanted),
  'createExport with other addresses': (exporter: Exporter, wanted: ExportRequest) =>
    exporter.createExport(call(), { ...wanted, initiators: [node2] }),
} as const;

const lost = test.macro<[keyof typeof acts, Parameters<typeof failing>[1], Parameters<typeof failing>[2]]>({
  title: (_, act, method, when) =>
    `${act} › where ${method} is not answered ${when} its effect, the error says that the outcome is not known, and a repeat ends it`,
  exec: async (t, act, method, when) => {
    const stage = await StandInStage.make(t);
    const { contract } = await stage.open();
    const wanted = await stage.request();
    await contract.createExport(call(), wanted);
    const broken = await stage.open({ machine: (machine) => failing(machine, method, when) });
    const error = await t.throwsAsync(acts[act](broken.contract, wanted));
    t.true(['DEADLINE_EXCEEDED', 'INTERNAL'].includes((error as VbsError).code), String(error));
    await acts[act](contract, wanted);
    const masks = stage.vblade.segment.exports().map((shown) => shown.masks);
    t.deepEqual(masks, act === 'createExport with other addresses' ? [['525400000002']] : []);
    await removed(t, stage, contract, wanted, act);
  },
});
for (const act of ['deleteExport', 'revokeAccess', 'createExport with other addresses'] as const) {
  for (const method of ['find', 'look', 'readFile', 'stop'] as const) test(lost, act, method, 'before');
  test(lost, act, 'stop', 'after');
}
for (const when of ['before', 'after'] as const) test(lost, 'revokeAccess', 'writeFile', when);

test('listExports › does not take what it cannot see for absent', async (t) => {
  const stage = await StandInStage.make(t);
  const { contract } = await stage.open();
  await contract.createExport(call(), await stage.request());
  for (const method of ['find', 'look', 'listDirectory'] as const) {
    const broken = await stage.open({ machine: (machine) => failing(machine, method, 'before') });
    await t.throwsAsync(broken.contract.listExports(call()), { code: 'DEADLINE_EXCEEDED' });
  }
});
