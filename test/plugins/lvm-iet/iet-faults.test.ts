import type { ExportRequest, Machine } from '@vbs/core';
import { VbsError } from '@vbs/core';
import test, { type ExecutionContext } from 'ava';
import { type FaultyMachine, faultyMachine, type IetFault, ietFaults } from './iet-faulty-machine.js';
import { call, type Fixture, iqnOf, MiB, makeFixture, node2 } from './iet-fixture.js';

/** An operator's lines, one of which would open everything were ours not there at every moment. */
const foreignLines = ['# of the operator', 'iqn.2001-01.org.other:disk 10.0.0.0/8', '# vbs', 'ALL ALL', 'no newline'].join('\n');
const mostActs = 24;

interface Trial {
  act(): Promise<unknown>;
  repeat(): Promise<unknown>;
  check(what: string): Promise<void>;
}

/** Acts with a fault at each act, until one ends without having met it; `check` looks at what a repeat has made of it. */
async function everyAct(
  t: ExecutionContext,
  fault: IetFault,
  trial: (breakAt: (machine: Machine) => Machine) => Promise<Trial>,
): Promise<void> {
  for (let nth = 1; nth <= mostActs; nth++) {
    let broken: FaultyMachine | undefined;
    const { act, repeat, check } = await trial((machine) => {
      broken = faultyMachine(machine, nth, fault);
      return broken;
    });
    broken?.arm();
    const error = await act().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if ((broken?.acts.length ?? 0) < nth) {
      t.true(nth > 4, 'hardly an act was met');
      return;
    }
    const what = `${fault} at act ${nth}: ${broken?.acts.at(nth - 1)}`;
    if (error !== undefined) t.true(error instanceof VbsError, `${what}: ${String(error)}`);
    await repeat();
    await check(what);
  }
  t.fail('the act does not end');
}

async function prepared(
  t: ExecutionContext,
): Promise<Fixture & { nothingIsLeft(what: string): void; isShut(wanted: ExportRequest, what: string): void }> {
  const fixture = await makeFixture(t);
  const { world } = fixture;
  world.allowFile = foreignLines;
  return {
    ...fixture,
    nothingIsLeft: (what) => {
      t.deepEqual(world.targets, [], what);
      t.deepEqual(world.users, [], what);
      t.is(world.allowFile, foreignLines, what);
    },
    isShut: (wanted, what) => {
      for (const initiator of [undefined, node2]) {
        for (const password of [undefined, null]) {
          t.throws(
            () =>
              fixture.login(wanted, { ...(initiator === undefined ? {} : { initiator }), ...(password === undefined ? {} : { password }) }),
            undefined,
            what,
          );
        }
      }
    },
  };
}

const creating = test.macro<[IetFault]>(async (t, fault) => {
  t.timeout(120_000);
  const { exporter, request, open, login, world, nothingIsLeft, isShut } = await prepared(t);
  await everyAct(t, fault, async (breakAt) => {
    const wanted = await request();
    const broken = await open({ machine: breakAt });
    return {
      act: () => broken.contract.createExport(call(), wanted),
      repeat: () => {
        // Until it is whole, nobody may be in: who is in sees the LUN when it comes.
        if (world.targetNamed(iqnOf(wanted.exportId))?.luns.size === 0) t.throws(() => login(wanted, { password: null }));
        return exporter.createExport(call(), wanted);
      },
      check: async (what) => {
        t.deepEqual(
          (await exporter.listExports(call())).map(({ exportId }) => exportId),
          [wanted.exportId],
          what,
        );
        t.is(world.users.length, 1, what);
        const disk = login(wanted);
        t.is(disk.sizeBytes, MiB, what);
        t.is(disk.lun.serial, wanted.serial.slice(-16), what);
        t.throws(() => login(wanted, { password: null }), { message: /authentication/ }, what);
        t.throws(() => login(wanted, { initiator: node2 }), { message: /not found/ }, what);
        await disk.disconnect();
        await exporter.deleteExport(call(), wanted);
        isShut(wanted, what);
        nothingIsLeft(what);
      },
    };
  });
});

const deleting = test.macro<[IetFault, 'open' | 'revoked']>(async (t, fault, kind) => {
  t.timeout(120_000);
  const { exporter, request, open, nothingIsLeft, isShut } = await prepared(t);
  await everyAct(t, fault, async (breakAt) => {
    const wanted = await request();
    await exporter.createExport(call(), wanted);
    if (kind === 'revoked') await exporter.revokeAccess(call(), wanted);
    const broken = await open({ machine: breakAt });
    return {
      act: () => broken.contract.deleteExport(call(), wanted),
      repeat: () => exporter.deleteExport(call(), wanted),
      check: async (what) => {
        isShut(wanted, what);
        nothingIsLeft(what);
      },
    };
  });
});

const revoking = test.macro<[IetFault]>(async (t, fault) => {
  t.timeout(120_000);
  const { exporter, request, open, login, world, nothingIsLeft, isShut } = await prepared(t);
  await everyAct(t, fault, async (breakAt) => {
    const wanted = await request();
    await exporter.createExport(call(), wanted);
    const disks = [login(wanted), login(wanted)];
    const broken = await open({ machine: breakAt });
    return {
      act: () => broken.contract.revokeAccess(call(), wanted),
      repeat: () => exporter.revokeAccess(call(), wanted),
      check: async (what) => {
        for (const disk of disks) await t.throwsAsync(disk.read(0, 512), undefined, what);
        isShut(wanted, what);
        t.true(world.users.length > 0, `${what}: a target without an account asks nobody for a secret`);
        t.is((await exporter.listExports(call())).length, 1, what);
        await t.throwsAsync(exporter.createExport(call(), wanted), { code: 'FAILED_PRECONDITION' }, what);
        await exporter.deleteExport(call(), wanted);
        nothingIsLeft(what);
      },
    };
  });
});

const ensuring = test.macro<[IetFault]>(async (t, fault) => {
  t.timeout(120_000);
  const { exporter, request, open, login, world, nothingIsLeft } = await prepared(t);
  await everyAct(t, fault, async (breakAt) => {
    const wanted = [await request(), await request()];
    for (const one of wanted) await exporter.createExport(call(), one);
    world.restart();
    const broken = await open({ machine: breakAt });
    return {
      act: () => broken.contract.ensureExports(call(), { exports: wanted }),
      repeat: () => exporter.ensureExports(call(), { exports: wanted }),
      check: async (what) => {
        t.is(world.users.length, wanted.length, what);
        for (const one of wanted) {
          const disk = login(one);
          t.is(disk.lun.serial, one.serial.slice(-16), what);
          t.throws(() => login(one, { password: null }), { message: /authentication/ }, what);
          await disk.disconnect();
          await exporter.deleteExport(call(), one);
        }
        nothingIsLeft(what);
      },
    };
  });
});

for (const fault of ietFaults) {
  test(`createExport › on a stand-in, an act that ${fault}: a repeat makes the export whole, and nothing leaks`, creating, fault);
  test(`deleteExport › on a stand-in, an act that ${fault}: a repeat takes all away`, deleting, fault, 'open');
  test(`deleteExport › on a stand-in, of a revoked export, an act that ${fault}: a repeat takes all away`, deleting, fault, 'revoked');
  test(`revokeAccess › on a stand-in, an act that ${fault}: a repeat shuts everybody out`, revoking, fault);
  test(`ensureExports › on a stand-in, an act that ${fault}: a repeat makes all exports whole`, ensuring, fault);
}

test('createExport › on a stand-in, what a broken-off one left at its target id makes room', async (t) => {
  const { exporter, request, open, world, faults } = await prepared(t);
  for (const nth of [4, 5, 6]) {
    const left = await request();
    const broken = await open();
    faults.arm(nth, 'hangs');
    await t.throwsAsync(broken.contract.createExport(call(), left), { code: 'DEADLINE_EXCEEDED' });
    faults.disarm();
    t.is(world.targets[0]?.name, iqnOf(left.exportId));
    t.deepEqual(await exporter.listExports(call()), [], 'what is half made is not listed');
    const wanted = await request({ address: left.address ?? 0 });
    await exporter.createExport(call(), wanted);
    t.deepEqual(
      (await exporter.listExports(call())).map(({ exportId }) => exportId),
      [wanted.exportId],
    );
    t.false(world.allowFile.includes(left.exportId));
    t.deepEqual(
      world.users.map(({ name }) => name),
      [wanted.exportId],
    );
    await exporter.deleteExport(call(), wanted);
  }
});

test('createExport › on a stand-in, a code that says that nothing changed is true when ietd refuses the LUN', async (t) => {
  const { exporter, request, world, nothingIsLeft } = await prepared(t);
  const other = await request();
  // Held by a foreign program: ietd opens a device for itself alone.
  world.hold(other.volume.locator.path);
  await t.throwsAsync(exporter.createExport(call(), other), { code: 'FAILED_PRECONDITION', message: /may hold the device/ });
  nothingIsLeft('the refused export');
});
