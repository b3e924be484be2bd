import type { BlockStore, Volume } from '@vbs/core';
import type { Container } from '@vbs/core/di';
import { tokens } from '@vbs/core/internal/tokens.js';
import test from 'ava';
import { MiB, newStore, vmmHost } from '../../support/store.js';

type Act = (store: BlockStore, volume: Volume) => Promise<unknown>;

interface Cost {
  readonly commits: number;
  /** At the most, with BEGIN and COMMIT. */
  readonly statements: number;
}

const attach: Act = (store, { id }) => store.attachVolume({ volumeId: id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });

/** Each commit is a turn to the medium: one before the first act of an operation, one after each act, which has the next one's intent too. */
const cost = test.macro<[what: string, expected: Cost, act: Act, before?: Act]>({
  title: (_, what, { commits }) => `${what} › takes ${commits} commits`,
  async exec(t, _, expected, act, before) {
    const seen: string[] = [];
    const register = (container: Container): void => {
      container.resolve(tokens.database).knex.on('query', ({ sql }: { sql: string }) => seen.push(sql));
    };
    // Nothing but the operation asks the database meanwhile.
    const never = 3_600_000;
    const times = { scanMs: never, restoreMs: never, markMs: never, leaseMs: never };
    const { store, volume } = await newStore(t, { overrides: { register, times } });
    const made = await volume();
    await before?.(store, made);
    seen.length = 0;
    await act(store, made);
    t.is(seen.filter((sql) => sql === 'COMMIT;').length, expected.commits, seen.join('\n'));
    t.true(seen.length <= expected.statements, `${seen.length} statements:\n${seen.join('\n')}`);
  },
});

test(cost, 'createVolume', { commits: 2, statements: 16 }, (store) => store.createVolume({ size: MiB }, { wait: true }));
test(cost, 'attachVolume', { commits: 3, statements: 29 }, attach);
test(cost, 'detachVolume', { commits: 3, statements: 28 }, (store, { id }) => store.detachVolume({ volumeId: id }, { wait: true }), attach);
test(cost, 'deleteVolume', { commits: 2, statements: 20 }, (store, { id }) => store.deleteVolume({ volumeId: id }, { wait: true }));
test(cost, 'describeVolumes', { commits: 0, statements: 3 }, (store, { id }) => store.describeVolumes({ ids: [id] }), attach);
