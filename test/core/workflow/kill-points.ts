import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Container } from '@vbs/core/di';
import type { Database } from '@vbs/core/internal/metadata/database/open-database.js';
import { MetadataStore } from '@vbs/core/internal/metadata/metadata-store.js';
import { tokens } from '@vbs/core/internal/tokens.js';

const lateCommitMs = 500;

/** Counts the places where this process may be killed, and kills it at one of them. */
export class KillPoints {
  readonly #target: number;
  readonly labels: string[] = [];

  readonly #lateCommits: boolean;

  /**
   * `target`: the number of the place, from 1; 0 for a dry run. `lateCommits` plants a bug: whoever wrote goes on before the write
   * is committed.
   */
  constructor(target: number, lateCommits = false) {
    this.#target = target;
    this.#lateCommits = lateCommits;
  }

  readonly pass = (label: string): void => {
    this.labels.push(label);
    if (this.labels.length === this.#target) process.kill(process.pid, 'SIGKILL');
  };

  /** Puts a place right before and right after every commit of a store. */
  readonly register = (container: Container): void => {
    container.register(tokens.metadata, {
      useFactory: (from) => new MetadataStore(this.#around(from.resolve(tokens.database)), from.resolve(tokens.clock)),
    });
  };

  #around(database: Database): Database {
    if (this.#lateCommits) return { ...database, transaction: (work) => this.#commitLate(database, work) };
    return {
      ...database,
      transaction: async (work) => {
        const answer = await database.transaction(async (trx) => {
          const result = await work(trx);
          this.pass('before commit');
          return result;
        });
        this.pass('after commit');
        return answer;
      },
    };
  }

  #commitLate: <T>(database: Database, work: Parameters<Database['transaction']>[0]) => Promise<T> = (database, work) =>
    new Promise((resolve, reject) => {
      const commit = database.transaction(async (trx) => {
        this.pass('before commit');
        this.pass('after commit');
        resolve((await work(trx)) as never);
        await pause(lateCommitMs);
      });
      commit.catch(reject);
    });
}

export interface Acknowledged {
  readonly what: 'begun' | 'done';
  readonly step: string;
  readonly id?: string;
}

/** What a process was told, on the medium before it goes on. */
export class Acknowledgements {
  readonly #path: string;

  constructor(directory: string) {
    this.#path = join(directory, 'acknowledged.log');
  }

  note(entry: Acknowledged): void {
    const file = openSync(this.#path, 'a');
    writeSync(file, `${JSON.stringify(entry)}\n`);
    fsyncSync(file);
    closeSync(file);
  }

  /** Runs a step of a scenario, and notes that it began and, with its id, that it was done. */
  async step<T extends { readonly id: string } | undefined>(step: string, act: () => Promise<T>): Promise<T> {
    this.note({ what: 'begun', step });
    const answer = await act();
    this.note({ what: 'done', step, ...(answer === undefined ? {} : { id: answer.id }) });
    return answer;
  }

  read(): Acknowledged[] {
    if (!existsSync(this.#path)) return [];
    const lines = readFileSync(this.#path, 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Acknowledged);
  }
}

const labelsPath = (directory: string): string => join(directory, 'kill-points.json');

export function writeLabels(directory: string, points: KillPoints): void {
  writeFileSync(labelsPath(directory), JSON.stringify(points.labels));
}

export function readLabels(directory: string): string[] {
  return JSON.parse(readFileSync(labelsPath(directory), 'utf8')) as string[];
}

/** Writes why a child failed where its parent finds it. */
export function writeFailure(directory: string, error: unknown): void {
  appendFileSync(join(directory, 'failure.log'), `${(error as Error).stack}\n`);
}
