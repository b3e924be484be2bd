import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Logger } from '../contract/call.js';
import { isRunning, listMarked } from './proc.js';
import { readBootId } from './process-identity.js';
import { processVariable } from './tool-environment.js';
import { writeWhole } from './write-whole.js';

/** A long-running command as it was recorded when it was started. */
export interface LongRunningRecord {
  readonly name: string;
  readonly pid: number;
  readonly startTime: number;
  readonly bootId: string;
  /** Its ready line was seen. */
  readonly ready: boolean;
}

/** Where the long-running commands of one state directory are written down, and how those are found that were not. */
export class LongRunningRecords {
  readonly folder: string;
  readonly #log: Logger;
  readonly #store: string;

  constructor(stateDirectory: string, log: Logger) {
    this.folder = join(stateDirectory, 'processes');
    this.#log = log;
    // Two stores on one machine may use the same names.
    this.#store = createHash('sha256').update(stateDirectory).digest('hex').slice(0, 16);
  }

  /** What marks a command and is found again in /proc: one that was started just before a crash has no record yet. */
  mark(name: string): Readonly<Record<string, string>> {
    return { [processVariable]: `${this.#store}:${name}` };
  }

  async write(fileName: string, record: LongRunningRecord): Promise<void> {
    await writeWhole(join(this.folder, `${fileName}.json`), `${JSON.stringify(record)}\n`, 0o600);
  }

  /** Every command that runs, by name. */
  async running(): Promise<ReadonlyMap<string, LongRunningRecord>> {
    const bootId = readBootId();
    const found = new Map<string, LongRunningRecord>();
    // A command leads its session; what it starts in turn bears its mark as well. Oldest first, should it have made sessions.
    const marked = [...(await listMarked(processVariable, (stat) => stat.session === stat.pid))].sort((a, b) => b.startTime - a.startTime);
    for (const { pid, startTime, value } of marked) {
      const [store, name] = [value.slice(0, 16), value.slice(17)];
      if (store === this.#store) found.set(name, { name, pid, startTime, bootId, ready: false });
    }
    for (const record of await this.#read()) if (record.bootId === bootId && isRunning(record)) found.set(record.name, record);
    return found;
  }

  async #read(): Promise<readonly LongRunningRecord[]> {
    let files: readonly string[];
    try {
      files = await readdir(this.folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
    const records: LongRunningRecord[] = [];
    for (const file of files.filter((name) => name.endsWith('.json'))) {
      const record = await this.#readOne(join(this.folder, file));
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  async #readOne(path: string): Promise<LongRunningRecord | undefined> {
    try {
      const record = JSON.parse(await readFile(path, 'utf8')) as LongRunningRecord;
      if (Number.isSafeInteger(record.pid) && Number.isSafeInteger(record.startTime) && typeof record.name === 'string') return record;
      throw new SyntaxError(`${basename(path)} is no record`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      if (!(error instanceof SyntaxError)) throw error;
      this.#log.warn({ path, err: error }, 'The record of a long-running command is damaged; it is looked for by its mark instead');
      return undefined;
    }
  }
}
