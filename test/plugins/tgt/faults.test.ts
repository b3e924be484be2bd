import { readFile, truncate } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { type Argument, type Machine, VbsError } from '@vbs/core';
import { tgtConfigSchema } from '@vbs/plugin-tgt/internal/config.js';
import ava, { type ExecutionContext } from 'ava';
import { startChild } from '../../support/child.js';
import { interceptedMachine } from '../../support/intercepted-machine.js';
import { login } from './raw-initiator.js';
import { scsiDisk } from './scsi.js';
import { call, iqnOf, MiB, makeFixture, node1, withTools } from './tgt-fixture.js';

const tgtd = withTools('tgtd', 'tgtadm');
const { test } = tgtd;

/** What happens to one command (safety A7); `dies` and every later one fails, as when this process is killed there. */
type Fault = 'fails' | 'fails after its effect' | 'hangs' | 'is late' | 'dies before' | 'dies after';

/** A machine on which the n-th command from `arm` on goes wrong, and the others run. */
function faulty(machine: Machine, nth: number, fault: Fault): Machine & { readonly ran: readonly string[]; arm(): void } {
  const ran: string[] = [];
  let dead = false;
  let armed = false;
  const run: Machine['run'] = async (given, command, options) => {
    if (!armed) return machine.run(given, command, options);
    if (dead) throw new VbsError('DEADLINE_EXCEEDED', 'this process was killed');
    ran.push(command.map(String).join(' '));
    if (ran.length !== nth) return machine.run(given, command, options);
    const late = new VbsError('DEADLINE_EXCEEDED', 'tgtadm did not end in time');
    dead = fault.startsWith('dies');
    if (fault === 'is late' || fault === 'dies after' || fault === 'fails after its effect') await machine.run(given, command, options);
    if (!fault.startsWith('fails')) throw late;
    throw new VbsError('INTERNAL', 'tgtadm failed', { context: { exitCode: 22, stderr: 'tgtadm: a text that nobody knows\n' } });
  };
  return Object.assign(interceptedMachine(machine, { run }), { ran, arm: () => (armed = true) });
}

const mostCommands = 16;
const seldom = ['fails', 'fails after its effect', 'hangs', 'is late', 'dies before', 'dies after'] as const;

/** Acts with each fault at each command, until the act ends without having met it; `check` looks at what a repeat has made of it. */
async function everyFault(
  t: ExecutionContext,
  faults: readonly Fault[],
  trial: (
    breakAt: (machine: Machine) => Machine,
  ) => Promise<{ act: () => Promise<unknown>; repeat: () => Promise<unknown>; check: (what: string) => Promise<void> }>,
): Promise<void> {
  for (const fault of faults) {
    for (let nth = 1; nth <= mostCommands; nth++) {
      let broken: ReturnType<typeof faulty> | undefined;
      const { act, repeat, check } = await trial((machine) => {
        broken = faulty(machine, nth, fault);
        return broken;
      });
      broken?.arm();
      const error = await act().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      const commands = broken?.ran.length ?? 0;
      if (commands < nth) {
        t.true(nth > 3, 'hardly a command was met');
        break;
      }
      if (error !== undefined) t.true(error instanceof VbsError, String(error));
      await repeat();
      await check(`${fault} at command ${nth}: ${broken?.ran.at(nth - 1)}`);
    }
  }
}

const creating = ava.macro<[Fault]>(async (t, fault) => {
  t.timeout(240_000);
  const { exporter, request, open, daemon } = await makeFixture(t, {});
  await everyFault(t, [fault], async (breakAt) => {
    const wanted = await request({ chap: true });
    const broken = await open({ machine: breakAt });
    return {
      act: () => broken.contract.createExport(call(), wanted),
      repeat: () => exporter.createExport(call(), wanted),
      check: async (what) => {
        t.deepEqual(
          (await exporter.listExports(call())).map(({ exportId }) => exportId),
          [wanted.exportId],
          what,
        );
        const place = { port: daemon.port, iqn: iqnOf(wanted.exportId), initiator: node1 };
        const disk = await scsiDisk({ ...place, chap: { user: wanted.exportId, password: `secret-of-${wanted.exportId}` } });
        t.is(disk.sizeBytes, MiB, what);
        await t.throwsAsync(login(place), undefined, `${what}: let in without the secret`);
        await disk.disconnect();
        await exporter.revokeAccess(call(), wanted);
        await exporter.deleteExport(call(), wanted);
        t.is((await daemon.adm('--op', 'show', '--mode', 'target')).trim(), '', what);
        t.notRegex(await daemon.adm('--op', 'show', '--mode', 'account'), /exp-/, what);
      },
    };
  });
});
for (const fault of seldom)
  test(`createExport › a command that ${fault}: a repeat makes the export whole, and nothing leaks${tgtd.why}`, creating, fault);

const deleting = ava.macro<[Fault]>(async (t, fault) => {
  t.timeout(240_000);
  const { exporter, request, open, daemon } = await makeFixture(t, {});
  await everyFault(t, [fault], async (breakAt) => {
    const wanted = await request({ chap: true });
    await exporter.createExport(call(), wanted);
    const broken = await open({ machine: breakAt });
    return {
      act: () => broken.contract.deleteExport(call(), wanted),
      repeat: () => exporter.deleteExport(call(), wanted),
      check: async (what) => {
        t.is((await daemon.adm('--op', 'show', '--mode', 'target')).trim(), '', what);
        t.notRegex(await daemon.adm('--op', 'show', '--mode', 'account'), /exp-/, what);
      },
    };
  });
});
for (const fault of seldom) test(`deleteExport › a command that ${fault}: a repeat takes all away${tgtd.why}`, deleting, fault);

const revoking = ava.macro<[Fault]>(async (t, fault) => {
  t.timeout(240_000);
  const { exporter, request, open, daemon } = await makeFixture(t);
  await everyFault(t, [fault], async (breakAt) => {
    const wanted = await request();
    await exporter.createExport(call(), wanted);
    const place = { port: daemon.port, iqn: iqnOf(wanted.exportId), initiator: node1 };
    const disk = await scsiDisk(place);
    const broken = await open({ machine: breakAt });
    return {
      act: () => broken.contract.revokeAccess(call(), wanted),
      repeat: () => exporter.revokeAccess(call(), wanted),
      check: async (what) => {
        await t.throwsAsync(disk.read(0, 512), undefined, what);
        await t.throwsAsync(login(place), undefined, what);
        await t.throwsAsync(exporter.createExport(call(), wanted), { code: 'FAILED_PRECONDITION' }, what);
        await exporter.deleteExport(call(), wanted);
      },
    };
  });
});
for (const fault of seldom) test(`revokeAccess › a command that ${fault}: a repeat shuts everybody out${tgtd.why}`, revoking, fault);

const extending = ava.macro<[Fault]>(async (t, fault) => {
  t.timeout(240_000);
  const { exporter, request, open, daemon } = await makeFixture(t);
  await everyFault(t, [fault], async (breakAt) => {
    const wanted = await request();
    const { exportId, volume } = wanted;
    await exporter.createExport(call(), wanted);
    const disk = await scsiDisk({ port: daemon.port, iqn: iqnOf(exportId), initiator: node1 });
    const broken = await open({ machine: breakAt });
    const sizeBytes = 2 * MiB;
    await truncate(volume.locator.path, sizeBytes);
    const grown = { exportId, volume: { ...volume, sizeBytes } };
    return {
      act: () => broken.contract.extendExport(call(), grown),
      repeat: async () => {
        // A restart comes first: it puts back what was left offline, and ends no session.
        await exporter.ensureExports(call(), { exports: [wanted] });
        await disk.write(0, Buffer.alloc(4096, 5));
        await exporter.extendExport(call(), grown);
      },
      check: async (what) => {
        t.deepEqual(await disk.read(0, 4096), Buffer.alloc(4096, 5), what);
        const later = await scsiDisk({ port: daemon.port, iqn: iqnOf(exportId), initiator: node1 });
        t.is(later.sizeBytes, sizeBytes, what);
        for (const one of [disk, later]) await one.disconnect();
        await exporter.revokeAccess(call(), wanted);
        await exporter.deleteExport(call(), wanted);
      },
    };
  });
});
for (const fault of seldom)
  test(`extendExport › a command that ${fault}: the session lives, and a repeat shows the size${tgtd.why}`, extending, fault);

test(`createExport › VBS killed by SIGKILL in the middle, wherever it was: a repeat completes${tgtd.why}`, async (t) => {
  const { exporter, request, daemon, directory } = await makeFixture(t, {});
  for (const afterMs of [0, 20, 40, 60, 100]) {
    const wanted = await request({ chap: true });
    const config = { ...daemon.config };
    const child = startChild(
      t,
      new URL('./export-child.js', import.meta.url),
      directory,
      JSON.stringify({ config, wanted: { ...wanted, chap: undefined } }),
    );
    t.deepEqual(await child.said(), { ready: true });
    await pause(afterMs);
    child.process.kill('SIGKILL');
    await child.ended();
    await exporter.createExport(call({ epoch: 2 }), wanted);
    const chap = { user: wanted.exportId, password: `secret-of-${wanted.exportId}` };
    const disk = await scsiDisk({ port: daemon.port, iqn: iqnOf(wanted.exportId), initiator: node1, chap });
    t.is(disk.sizeBytes, MiB);
    await disk.disconnect();
  }
  t.is((await exporter.listExports(call())).length, 5);
});

test(`createExport › a target id that a broken-off operation left is used again${tgtd.why}`, async (t) => {
  const { exporter, request, open, daemon } = await makeFixture(t, {});
  const left = await request({ chap: true });
  const broken = await open({
    machine: (machine) => {
      const dying = faulty(machine, 7, 'dies before');
      dying.arm();
      return dying;
    },
  });
  await t.throwsAsync(broken.contract.createExport(call(), left));
  t.deepEqual(await exporter.listExports(call()), [], 'what is half made is not listed');
  t.true((await daemon.adm('--op', 'show', '--mode', 'target')).includes(left.exportId));
  const wanted = { ...(await request({ chap: true })), address: left.address ?? 0 };
  await exporter.createExport(call(), wanted);
  t.deepEqual(
    (await exporter.listExports(call())).map(({ exportId }) => exportId),
    [wanted.exportId],
  );
  t.false((await daemon.adm('--op', 'show', '--mode', 'account')).includes(left.exportId));
});

test(`createExport › shows the CHAP secret to tgtadm alone, also when it fails${tgtd.why}`, async (t) => {
  const { request, open } = await makeFixture(t, {});
  const wanted = await request({ chap: true });
  const seen: string[] = [];
  const told: Argument[] = [];
  const opened = await open({
    machine: (machine) => {
      const run: Machine['run'] = async (given, command, options) => {
        seen.push(command.map(String).join(' '));
        told.push(...command);
        if (command.includes('account'))
          throw new VbsError('INTERNAL', 'x', { context: { command: command.map(String), exitCode: 22, stderr: 'tgtadm: ?' } });
        return machine.run(given, command, options);
      };
      return interceptedMachine(machine, { run });
    },
  });
  const error = await t.throwsAsync(opened.contract.createExport(call(), wanted));
  const password = wanted.chap?.password.reveal() ?? '';
  t.true(seen.some((line) => line.includes('--password [redacted]')));
  t.false(`${seen.join()} ${JSON.stringify(error)} ${String(error?.stack)}`.includes(password));
  t.true(told.some((word) => typeof word !== 'string' && word.reveal() === password));
});

test(`every call › a tgtd that does not answer is DEADLINE_EXCEEDED or UNAVAILABLE, and no export is said to be absent${tgtd.why}`, async (t) => {
  const { exporter, daemon } = await makeFixture(t);
  daemon.signal('SIGSTOP');
  const short = () => call({ signal: AbortSignal.timeout(300) });
  await t.throwsAsync(exporter.listExports(short()), { code: 'DEADLINE_EXCEEDED' });
  await t.throwsAsync(exporter.deleteExport(short(), { exportId: 'exp-00000000000000000' }), { code: 'DEADLINE_EXCEEDED' });
  await daemon.kill();
  await t.throwsAsync(exporter.deleteExport(call(), { exportId: 'exp-00000000000000000' }), { code: 'UNAVAILABLE' });
  t.is(await (await exporter.listExports(call()).catch((error: VbsError) => [error.code]))[0], 'UNAVAILABLE' as never);
});

ava('tgtConfigSchema › is what config.schema.json publishes', async (t) => {
  const published = await readFile(new URL('../../../../plugins/tgt/config.schema.json', import.meta.url), 'utf8');
  t.deepEqual(JSON.parse(published), JSON.parse(JSON.stringify(tgtConfigSchema)));
});
