import type { Knex } from 'knex';

/** What is going on now, in counts. */
export interface Activity {
  readonly openExports: readonly { readonly exporter: string; readonly count: number }[];
  readonly openOperations: readonly { readonly kind: string; readonly state: 'running' | 'stuck'; readonly count: number }[];
}

export async function countActivity(db: Knex): Promise<Activity> {
  const openExports: Activity['openExports'][number][] = await db('exports')
    .where({ state: 'live' })
    .groupBy('exporter')
    .orderBy('exporter')
    .select('exporter', db.raw('count(*) as count'));
  const openOperations: Activity['openOperations'][number][] = await db('operations')
    .whereIn('state', ['running', 'stuck'])
    .groupBy('kind', 'state')
    .orderBy(['kind', 'state'])
    .select('kind', 'state', db.raw('count(*) as count'));
  // PostgreSQL counts in bigint, which its driver gives as text.
  const counted = <T extends { readonly count: unknown }>(rows: readonly T[]) => rows.map((row) => ({ ...row, count: Number(row.count) }));
  return { openExports: counted(openExports), openOperations: counted(openOperations) };
}
