import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { failure, toProblem } from './client/failure.js';
import { allCommands } from './commands/index.js';
import { runNbdServer } from './commands/nbd-server.js';
import { Context } from './context/context.js';
import { Interrupt, Interrupted } from './context/interrupt.js';
import { readSettings } from './context/settings.js';
import { printableLines } from './output/printable.js';
import { problemJson, problemText } from './output/report-problem.js';
import { buildProgram } from './program.js';

const refused = 1;
const wrongUsage = 2;

export function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  return version;
}

/** Runs one call of the command line. Answers its exit status; everything else was told. */
export async function main(given: readonly string[]): Promise<number> {
  // Its arguments are another program's: commander must not read them.
  if (given[0] === 'nbd-server') return runNbdServer(given.slice(1)).catch((error: unknown) => tell(error, false));
  const interrupt = Interrupt.listen();
  if (given[0] === 'complete' && given[1] === '--') return completeWords(given.slice(2));
  let status = 0;
  const program = buildProgram(allCommands, ownVersion(), {
    context: (options) => new Context(readSettings(options, process.env), interrupt),
    ended: (code) => {
      status = code;
    },
  });
  try {
    await program.parseAsync([...given], { from: 'user' });
    return status;
  } catch (error) {
    return tell(error, wantsJson(given));
  }
}

/** What the scripts of `vbs completion` call. */
async function completeWords(typed: readonly string[]): Promise<number> {
  const [{ complete }, { serverWords }] = await Promise.all([import('./completion/complete.js'), import('./completion/words.js')]);
  await complete(typed, allCommands, serverWords(process.env));
  return 0;
}

/** Says what went wrong, and answers the exit status that goes with it. */
function tell(error: unknown, json: boolean): number {
  if (error instanceof Interrupted) return error.exitCode;
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    // Without a command, or of an unknown one: the help was shown.
    if (error.code === 'commander.help') return wrongUsage;
    const message = error.message.replace(/^error: /, '').replace(/\n\(Did you mean (.+)\?\)$/s, '; did you mean $1?');
    const advice = 'see `vbs help`';
    if (json) process.stderr.write(problemJson(failure('INVALID_ARGUMENT', `${message}; ${advice}`).problem));
    else process.stderr.write(`vbs: ${printableLines(message)}\n  ${advice}\n`);
    return wrongUsage;
  }
  const problem = toProblem(error);
  process.stderr.write(json ? problemJson(problem) : problemText(problem));
  if (process.env.VBS_DEBUG === '1') process.stderr.write(`${printableLines(causesOf(error))}\n`);
  return problem.code === 'INVALID_ARGUMENT' ? wrongUsage : refused;
}

/** Errors are told as JSON also when the call is too wrong to be read. */
function wantsJson(given: readonly string[]): boolean {
  const end = given.indexOf('--');
  const options = end === -1 ? given : given.slice(0, end);
  return options.includes('--output=json') || options.some((word, index) => word === '--output' && options[index + 1] === 'json');
}

const mostCauses = 10;

function causesOf(error: unknown): string {
  const stacks: string[] = [];
  for (let cause = error; cause instanceof Error && stacks.length < mostCauses; cause = cause.cause)
    stacks.push(cause.stack ?? cause.message);
  return stacks.join('\ncaused by ');
}
