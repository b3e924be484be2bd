import { truncate } from 'node:fs/promises';
import type { Machine } from '@vbs/core';
import { interceptedMachine } from '../../support/intercepted-machine.js';
import { scsiDisk } from './scsi.js';
import { call, iqnOf, MiB, makeFixture, node1, withTools } from './tgt-fixture.js';

const { test, why } = withTools('tgtd', 'tgtadm');

/** What an operation runs, each command by its operation and mode; `stat` and the like by their name. */
function short(command: readonly unknown[]): string {
  const words = command.map(String);
  const after = (option: string): string => words[words.indexOf(option) + 1] ?? '';
  return words[0] === 'env' ? `${after('--op')} ${after('--mode')}` : (words[0] ?? '');
}

const look = ['show portal', 'show target'];

test(`every operation › runs the commands that the README lists, and no other${why}`, async (t) => {
  const { request, open, daemon } = await makeFixture(t, {});
  const ran: string[] = [];
  const opened = await open({
    machine: (machine) => {
      const run: Machine['run'] = (given, command, options) => {
        ran.push(short(command));
        return machine.run(given, command, options);
      };
      return interceptedMachine(machine, { run });
    },
  });
  const { contract } = opened;
  const wanted = await request({ chap: true });
  const commandsOf = async (act: () => Promise<unknown>): Promise<readonly string[]> => {
    ran.length = 0;
    await act();
    return ran.filter((command) => command !== 'stat' && !look.includes(command));
  };
  const made = await commandsOf(() => contract.createExport(call(), wanted));
  t.deepEqual(made, ['new target', 'new account', 'bind account', 'new logicalunit', 'update logicalunit', 'bind target']);
  t.is(ran.length, 9);
  t.deepEqual(await commandsOf(() => contract.createExport(call(), wanted)), ['new target']);
  t.is(ran.length, 4);
  t.deepEqual(await commandsOf(() => contract.listExports(call())), []);
  t.is(ran.length, 2);
  t.deepEqual(await commandsOf(() => contract.ensureExports(call(), { exports: [wanted] })), []);
  t.is(ran.length, 2);
  const chap = { user: wanted.exportId, password: `secret-of-${wanted.exportId}` };
  const disk = await scsiDisk({ port: daemon.port, iqn: iqnOf(wanted.exportId), initiator: node1, chap });
  t.teardown(() => disk.disconnect());
  await truncate(wanted.volume.locator.path, 2 * MiB);
  const volume = { ...wanted.volume, sizeBytes: 2 * MiB };
  const extended = await commandsOf(() => contract.extendExport(call(), { exportId: wanted.exportId, volume }));
  t.deepEqual(extended, ['update logicalunit', 'stat logicalunit', 'update logicalunit', 'update logicalunit']);
  t.is(ran.length, 9);
  const revoked = await commandsOf(() => contract.revokeAccess(call(), wanted));
  t.deepEqual(revoked, [
    'mkdir',
    'update target',
    'unbind target',
    'delete account',
    'update logicalunit',
    'stat logicalunit',
    'delete conn',
  ]);
  t.deepEqual(await commandsOf(() => contract.deleteExport(call(), wanted)), ['delete target', 'delete account', 'rm']);
  const plain = await request({ chap: true });
  await contract.createExport(call(), plain);
  t.deepEqual(await commandsOf(() => contract.deleteExport(call(), plain)), ['delete target', 'delete account']);
  t.is(ran.length, 4);
});

test(`createExport › a call that is cancelled between two commands does not say that nothing changed${why}`, async (t) => {
  const { request, open, exporter } = await makeFixture(t);
  const wanted = await request();
  const controller = new AbortController();
  const opened = await open({
    machine: (machine) => {
      const run: Machine['run'] = async (given, command, options) => {
        const result = await machine.run(given, command, options);
        if (short(command) === 'new logicalunit') controller.abort();
        return result;
      };
      return interceptedMachine(machine, { run });
    },
  });
  const error = await t.throwsAsync(opened.contract.createExport(call({ signal: controller.signal }), wanted));
  t.true(['DEADLINE_EXCEEDED', 'INTERNAL'].includes((error as { code?: string }).code ?? ''), String(error));
  await exporter.createExport(call(), wanted);
  t.is((await exporter.listExports(call())).length, 1);
});
