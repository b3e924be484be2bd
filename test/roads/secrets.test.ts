import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { Logger, VbsError } from '@vbs/core';
import test from 'ava';
import { dump } from '../support/store.js';
import { Road, volumeBytes } from './support/road.js';

const wait = { wait: true } as const;
const place = { vmmHost: 'node1', vmId: 'vm1', device: 'xvdb' };

test('safety E5 › on the road LVM → IET → iSCSI, on stand-in tools, a password stands in no log, journal, error or command line but in that of ietadm that makes the account', async (t) => {
  const road = await Road.make(t, 'LVM → IET → iSCSI');
  const logged: unknown[] = [];
  const log = (...given: readonly unknown[]): void => void logged.push(...given);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const store = await road.open({ logger });
  t.teardown(() => store.close());
  const { id: volumeId } = await store.createVolume({ size: volumeBytes }, wait);
  const passwords: string[] = [];
  const told: unknown[] = [];
  const note = async (): Promise<void> => void passwords.push(...road.server.iet.users.map(({ password }) => password));

  told.push(await store.attachVolume({ volumeId, ...place }, wait));
  await note();
  const record = readFileSync(recordOf(road), 'utf8');
  t.true(record.includes(passwords[0] ?? 'none'), 'the node logs in with it');
  told.push(await store.detachVolume({ volumeId }, wait));

  // Each command of an attach fails once, also that with the password.
  let failures = 0;
  for (let nth = 1; nth < 40; nth++) {
    road.faults.arm(nth, 'fails after its effect');
    const error = await store.attachVolume({ volumeId, ...place }, wait).then(
      () => undefined,
      (thrown: VbsError) => thrown,
    );
    const isMet = road.faults.met > 0;
    road.faults.disarm();
    for (const { words } of road.ran) {
      const [, password] = /Password=(.+)$/.exec(words.at(-1) ?? '') ?? [];
      if (password !== undefined) passwords.push(password);
    }
    if (error !== undefined) {
      failures += 1;
      told.push(error, error.toJSON(), inspect(error, { depth: 20 }));
    }
    for (const { id, state } of (await store.describeOperations()).items) if (state === 'stuck') await store.retryOperation(id);
    if ((await store.describeVolumes({ ids: [volumeId] })).items[0]?.state === 'in-use') await store.detachVolume({ volumeId }, wait);
    if (!isMet) break;
  }
  t.true(failures > 3);
  told.push((await store.describeOperations()).items, (await store.describeAttachments()).items, (await store.describeVolumes()).items);

  const secrets = [...new Set(passwords)];
  t.true(secrets.length > 3 && secrets.every((password) => password.length >= 12));
  const bearing = road.ran.filter(({ words }) => secrets.some((password) => words.some((word) => word.includes(password))));
  t.true(bearing.length > 3);
  for (const { machine, words } of bearing) {
    const user = /^--params=IncomingUser=exp-[0-9a-f]{17},Password=[^,]+$/;
    t.deepEqual([machine, ...words.slice(0, 3)], ['vs1', 'ietadm', '--op', 'new']);
    t.deepEqual([words.length, words[4], user.test(words[5] ?? '')], [6, '--user', true]);
  }
  mkdirSync(join(road.directory, 'pool'));
  const elsewhere = {
    'what was logged': inspect(logged, { depth: 20, maxArrayLength: null, maxStringLength: null }),
    'what callers were told': inspect(told, { depth: 20, maxArrayLength: null, maxStringLength: null }),
    'the journal and all tables': JSON.stringify(await dump(road.directory)),
    'the database file': readFileSync(road.databaseFile, 'latin1'),
    'commands as errors show them': road.faults.ran.join('\n'),
  };
  t.true(elsewhere['what was logged'].length > 1_000);
  for (const [where, text] of Object.entries(elsewhere)) {
    for (const password of secrets) t.false(text.includes(password), where);
  }
});

/** The one node record that there is. */
function recordOf(road: Road): string {
  const [made] = road.ran.filter(({ words }) => words[0] === 'tee' && words[1]?.startsWith('/etc/iscsi/nodes/'));
  return road.machines.node1.real(made?.words[1] ?? '');
}
