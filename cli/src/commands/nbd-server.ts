import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failure } from '../client/failure.js';
import type { CommandSpec } from '../command-spec.js';

const plugin = '@vbs/plugin-nbd';
const program = 'vbs-nbd-server';

export const nbdServerCommand: CommandSpec = {
  name: 'nbd-server',
  group: 'The store',
  summary: 'Run the NBD server as a process of its own',
  description: [
    `Runs ${program} of ${plugin}: an NBD server that outlives VBS, and is found again by its control socket. All that follows is handed to it as it is, signals and exit status are passed through. The exporter starts it by itself where its configuration says process: own.`,
  ],
  synopsis: ['[arguments]'],
  examples: [{ line: 'vbs nbd-server --help', text: 'Its own options.' }],
  exitStatus: [['any', `What ${program} answers; 128 and the signal's number when a signal ended it.`]],
  seeAlso: ['serve', 'routes'],
};

/** Runs the program with these arguments, and answers its exit status. @throws FAILED_PRECONDITION: it is not installed. */
export function runNbdServer(given: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [programFile(), ...given], { stdio: 'inherit' });
  const forward = (signal: NodeJS.Signals) => {
    // Ctrl-C on a terminal reaches the whole group.
    if (signal !== 'SIGINT' || process.stdin.isTTY !== true) child.kill(signal);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, forward);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + (numbers[signal ?? 'SIGKILL'] ?? 0)));
  });
}

const numbers: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};

/** The program's file: the `bin` of the package that `import '@vbs/plugin-nbd'` finds. */
function programFile(): string {
  let folder = dirname(fileURLToPath(import.meta.resolve(plugin)));
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { bin?: Readonly<Record<string, string>> };
  const file = bin?.[program];
  if (file !== undefined) return join(folder, file);
  throw failure('FAILED_PRECONDITION', `the package ${plugin} in ${folder} has no program ${program}: install the version of this vbs`, {
    context: { package: plugin },
  });
}
