import type { Logger } from '@vbs/core';
import type { Problem } from '@vbs/schemas';
import type { Client } from '../client/client.js';
import { findClient } from '../client/find-client.js';
import { printable, printableJson } from '../output/printable.js';
import { problemJson, problemText } from '../output/report-problem.js';
import type { View } from '../output/views.js';
import type { Interrupt } from './interrupt.js';
import type { Settings } from './settings.js';

/** What a command has beside its own arguments: the settings, the store, and the way to say things. */
export class Context {
  readonly settings: Settings;
  readonly interrupt: Interrupt;

  constructor(settings: Settings, interrupt: Interrupt) {
    this.settings = settings;
    this.interrupt = interrupt;
  }

  /** Aborts when the command is interrupted. */
  get signal(): AbortSignal {
    return this.interrupt.signal;
  }

  get json(): boolean {
    return this.settings.output === 'json';
  }

  /** Uses the store and lets go of it, whatever happens. */
  async withClient<T>(use: (client: Client) => Promise<T>): Promise<T> {
    const client = await findClient(this.settings, await this.log(), this.signal);
    if (this.settings.verbose) this.note(`using ${client.name}`);
    try {
      return await use(client);
    } finally {
      await client.close();
    }
  }

  /** The core's log, on standard error: warnings in words when the command says --verbose, else nothing; commands tell their errors themselves. */
  async log(): Promise<Logger> {
    const ignore = (): void => undefined;
    if (!this.settings.verbose) return { debug: ignore, info: ignore, warn: ignore, error: ignore };
    const { pino } = await import('pino');
    const log: Logger = pino({ level: 'info' }, pino.destination({ dest: 2, sync: true }));
    return log;
  }

  /** One line on standard output. */
  line(text: string): void {
    process.stdout.write(`${printable(text)}\n`);
  }

  /** One line on standard error, for people; it says nothing that a program needs. */
  note(text: string): void {
    if (!this.settings.quiet) this.warn(text);
  }

  /** The same with --quiet too: something without which the output would be misread. */
  warn(text: string): void {
    process.stderr.write(`vbs: ${printable(text)}\n`);
  }

  /** A problem on standard error, as --output wants it. */
  tell(problem: Problem): void {
    process.stderr.write(this.json ? problemJson(problem) : problemText(problem));
  }

  printJson(value: unknown): void {
    process.stdout.write(`${printableJson(value, 2)}\n`);
  }

  /** A list as a table, as `json`, or as ids alone. */
  async printList<T>(items: readonly T[], view: View<T>, json: unknown): Promise<void> {
    if (this.json) return this.printJson(json);
    if (this.settings.quiet) {
      for (const item of items) this.line(view.idOf(item));
      return;
    }
    const { tableOf } = await import('../output/table.js');
    process.stdout.write(`${tableOf(items, view.columns, terminalWidth())}\n`);
  }

  /** One item as a table of one row, as JSON, or as its id. */
  printItem<T>(item: T, view: View<T>): Promise<void> {
    return this.printList([item], view, item);
  }
}

/** The width of the terminal; undefined where the output goes elsewhere, which has no width. */
export function terminalWidth(): number | undefined {
  return process.stdout.isTTY === true ? Math.max(process.stdout.columns, 1) : undefined;
}
