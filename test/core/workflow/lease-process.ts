import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

export interface LeaseCommand {
  readonly number: number;
  readonly act: 'create' | 'delete' | 'snapshot' | 'attach' | 'close';
  readonly volumeId?: string;
  readonly vm?: string;
  readonly ifBusy?: 'abort' | 'wait';
  readonly slow?: { readonly phase: 'before' | 'middle'; readonly ms: number };
}

export interface LeaseAnswer {
  readonly ok: boolean;
  readonly code?: string;
  readonly answer?: string | null;
}

const limitMs = 30_000;

/** A process of its own with a store on the same database: it is told what to do, may be stopped, and may be killed. */
export class LeaseProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #said = new EventEmitter();
  #commands = 0;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as { ready?: true; in?: string; answerTo?: number };
      if (said.ready === true) this.#said.emit('ready');
      else if (said.in !== undefined) this.#said.emit('in', said.in);
      else this.#said.emit(`answer ${said.answerTo}`, said);
    });
  }

  static async start(directory: string, leaseMs: number): Promise<LeaseProcess> {
    const script = fileURLToPath(new URL('lease-child.js', import.meta.url));
    const child = spawn(process.execPath, [script, directory, String(leaseMs)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const started = new LeaseProcess(child);
    await started.#hears('ready');
    return started;
  }

  async #hears(what: string): Promise<unknown> {
    const [said]: unknown[] = await once(this.#said, what, { signal: AbortSignal.timeout(limitMs) });
    return said;
  }

  async do(command: Omit<LeaseCommand, 'number'>): Promise<LeaseAnswer> {
    this.#commands += 1;
    const number = this.#commands;
    const answer = this.#hears(`answer ${number}`);
    this.#child.stdin.write(`${JSON.stringify({ ...command, number })}\n`);
    return (await answer) as LeaseAnswer;
  }

  /** Ends when the process is in a slow call. */
  async isInCall(): Promise<void> {
    await this.#hears('in');
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal);
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
