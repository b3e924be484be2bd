import type { Knex } from 'knex';
import type { SerializedError } from '../errors.js';
import { toJournalText } from './json.js';
import { Table } from './table.js';

export const operationStates = ['running', 'stuck', 'succeeded', 'failed'] as const;
export type OperationState = (typeof operationStates)[number];

/** An operation as the journal knows it: where it stands, and all that is needed to go on. */
export interface OperationRecord {
  readonly seq: number;
  readonly id: string;
  readonly kind: string;
  readonly state: OperationState;
  /** The volume, snapshot or attachment that it is about. */
  readonly resourceId: string;
  readonly params: unknown;
  /** The names of the instances that its steps call. */
  readonly instances: readonly string[];
  readonly direction: 'forward' | 'back';
  /** The index of the step that is intended, in either direction. */
  readonly step: number;
  /** What its steps have answered so far. */
  readonly output: Readonly<Record<string, unknown>>;
  readonly result: unknown;
  /** Why it goes back, or why it failed. */
  readonly error: SerializedError | null;
  /** Why it is stuck. */
  readonly reason: string | null;
  /** The process that works on it; null once it has ended. */
  readonly owner: string | null;
  readonly epoch: number;
  readonly clientToken: string | null;
  readonly fingerprint: string | null;
  readonly cancelRequested: number;
  readonly deadlineAt: number | null;
  readonly attempts: number;
  readonly nextTryAt: number | null;
  readonly doneBytes: number | null;
  readonly totalBytes: number | null;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export const operations = new Table<OperationRecord>('operations', ['params', 'instances', 'output', 'result', 'error']);

export type StepAct = 'do' | 'undo';
export type StepOutcome = 'intended' | 'done' | 'failed' | 'unknown';

/** One line of the journal. */
export interface StepEntry {
  readonly step: string;
  readonly act: StepAct;
  readonly outcome: StepOutcome;
  readonly detail?: unknown;
}

export async function insertSteps(trx: Knex.Transaction, operationId: string, entries: readonly StepEntry[], now: number): Promise<void> {
  if (entries.length === 0) return;
  await trx('operation_steps').insert(
    entries.map(({ step, act, outcome, detail }) => ({
      operation_id: operationId,
      step,
      act,
      outcome,
      detail: detail === undefined ? null : toJournalText(detail),
      at: now,
    })),
  );
}

/** An operation's journal, oldest first. */
export function listSteps(db: Knex, operationId: string): Promise<(StepEntry & { readonly at: number })[]> {
  return db('operation_steps').where({ operation_id: operationId }).orderBy('seq').select('step', 'act', 'outcome', 'detail', 'at');
}
