import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { styleText } from 'node:util';
import Table from 'cli-table3';

/** Where the demo tells what it does. */
export interface Output {
  write(text: string): unknown;
}

/** What a step found out: a hash of the bytes that a VM read, or a remark. */
export interface Finding {
  readonly sha256?: string;
  readonly remark?: string;
}

interface Row extends Finding {
  readonly figure: string;
  readonly step: string;
  readonly milliseconds: number;
}

const asciiBorders = {
  top: '-',
  'top-mid': '+',
  'top-left': '+',
  'top-right': '+',
  bottom: '-',
  'bottom-mid': '+',
  'bottom-left': '+',
  'bottom-right': '+',
  left: '|',
  'left-mid': '+',
  mid: '-',
  'mid-mid': '+',
  right: '|',
  'right-mid': '+',
  middle: '|',
};

/** Prints each step as it ends, with its time and hash, and all of them again as a table. */
export class Report {
  readonly #out: Output;
  readonly #pretty: boolean;
  readonly #rows: Row[] = [];
  #figure = '';

  /** `pretty`: colours and drawn lines, for a terminal. */
  constructor(out: Output, pretty: boolean) {
    this.#out = out;
    this.#pretty = pretty;
  }

  figure(name: string, sentence: string): void {
    this.#figure = name;
    this.line('');
    this.line(`${this.#styled('bold', name)}  ${sentence}`);
  }

  /** Does a step and prints it. */
  async step<T>(name: string, act: () => Promise<T>, finding: (result: T) => Finding = () => ({})): Promise<T> {
    const start = performance.now();
    const result = await act();
    const row: Row = { figure: this.#figure, step: name, milliseconds: performance.now() - start, ...finding(result) };
    this.#rows.push(row);
    const time = `${row.milliseconds.toFixed(0).padStart(6)} ms`;
    const hash = row.sha256 === undefined ? '' : `  sha256 ${this.#styled('cyan', row.sha256.slice(0, 16))}`;
    const remark = row.remark === undefined ? '' : `  ${row.remark}`;
    this.line(`${this.#styled('green', this.#pretty ? '✔' : 'ok')} ${this.#styled('gray', time)}  ${name}${hash}${remark}`);
    return result;
  }

  /** The table of what the VMs read, and how many steps and seconds it all took. */
  summary(): void {
    const table = new Table({
      head: ['', 'what a VM read', 'sha256', 'is what was written', 'ms'],
      colAligns: ['left', 'left', 'left', 'left', 'right'],
      style: { head: this.#pretty ? ['bold'] : [], border: this.#pretty ? ['gray'] : [] },
      ...(this.#pretty ? {} : { chars: asciiBorders }),
    });
    for (const { figure, step, sha256: hash, milliseconds } of this.#rows) {
      if (hash !== undefined) table.push([figure, step, hash.slice(0, 32), this.#styled('green', 'yes'), milliseconds.toFixed(0)]);
    }
    const seconds = this.#rows.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1000;
    this.line('');
    this.line(table.toString());
    this.line(`${this.#rows.length} steps, ${table.length} reads compared, ${seconds.toFixed(1)} s`);
  }

  success(text: string): void {
    this.line(this.#styled('green', text));
  }

  failure(text: string): void {
    this.line(this.#styled('red', text));
  }

  line(text: string): void {
    this.#out.write(`${text}\n`);
  }

  #styled(style: 'bold' | 'cyan' | 'gray' | 'green' | 'red', text: string): string {
    return this.#pretty ? styleText(style, text) : text;
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
