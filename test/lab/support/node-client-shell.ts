import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { Lab } from '@vbs/lab';

const actLimitMs = 60_000;

/**
 * Kept shells in one guest, so that a client's act costs what its commands cost: a command of `SshMachine` is 0.2 s there, and a kit's
 * clients act a thousand times. Each takes one act at a time; another is opened when all are busy.
 */
export class GuestShells {
  readonly #configFile: string;
  readonly #guest: string;
  readonly #idle: Shell[] = [];
  readonly #all = new Set<Shell>();

  constructor(lab: Lab, guest: string) {
    this.#configFile = lab.configFile;
    this.#guest = guest;
  }

  /** Runs a script, which ends at its first failure, and answers what it wrote. @throws with its exit code, and what it said. */
  async run(script: string): Promise<string> {
    const shell = this.#idle.pop() ?? this.#open();
    try {
      const said = await shell.act(script);
      return said;
    } finally {
      if (shell.isOpen) this.#idle.push(shell);
      else this.#all.delete(shell);
    }
  }

  close(): void {
    for (const shell of this.#all) shell.close();
    this.#idle.length = 0;
  }

  #open(): Shell {
    const shell = new Shell(this.#configFile, this.#guest);
    this.#all.add(shell);
    return shell;
  }
}

class Shell {
  readonly #process: ChildProcessWithoutNullStreams;
  #said = '';
  #complained = '';
  #onChange: () => void = () => undefined;

  constructor(configFile: string, guest: string) {
    this.#process = spawn('ssh', ['-F', configFile, guest, 'bash'], { stdio: 'pipe' });
    this.#process.stdout.setEncoding('latin1').on('data', (text: string) => {
      this.#said += text;
      this.#onChange();
    });
    this.#process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complained += text;
    });
    this.#process.stdin.on('error', () => undefined);
    this.#process.on('close', () => this.#onChange());
  }

  get isOpen(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  async act(script: string): Promise<string> {
    const mark = randomUUID();
    const ending = new RegExp(`\n${mark} (\\d+)\n$`);
    this.#said = '';
    this.#complained = '';
    const quoted = `'${script.replaceAll("'", `'\\''`)}'`;
    this.#process.stdin.write(`(set -euo pipefail; eval ${quoted}) </dev/null; printf '\\n%s %s\\n' ${mark} $?\n`);
    const exitCode = await new Promise<string | undefined>((resolve) => {
      const late = setTimeout(() => this.close(), actLimitMs);
      this.#onChange = () => {
        const found = ending.exec(this.#said)?.[1];
        if (found === undefined && this.isOpen) return;
        clearTimeout(late);
        resolve(found);
      };
      this.#onChange();
    });
    if (exitCode === '0') return this.#said.replace(ending, '');
    const how = exitCode === undefined ? `had no end within ${actLimitMs} ms, or lost its guest` : `failed with exit code ${exitCode}`;
    throw new Error(`${script.trim().slice(0, 200)} ${how}: ${this.#complained.trim()}`);
  }

  close(): void {
    this.#process.kill('SIGKILL');
  }
}
