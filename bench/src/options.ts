import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';

export interface BenchOptions {
  /** The measurements to run, by name; all when it is empty. */
  readonly only: readonly string[];
  readonly quick: boolean;
  /** Where the report goes as JSON. */
  readonly json: string | null;
  /** Whether docs/performance.md is rewritten. */
  readonly write: boolean;
  /** Where volumes, databases and images lie while they are measured. */
  readonly directory: string;
  readonly help: boolean;
}

/** The command line was wrong. */
export class UsageError extends Error {}

/** @throws UsageError: an option is unknown, or names no measurement. */
export function readOptions(args: readonly string[], names: readonly string[]): BenchOptions {
  const { only = [], quick = false, json, write = false, directory = tmpdir(), help = false } = parse(args);
  const unknown = only.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new UsageError(`--only ${unknown.join(', ')}: there are ${names.join(', ')}`);
  if (write && only.length > 0) throw new UsageError('--write wants the rows of one whole run: leave --only out');
  return { only, quick, json: json ?? null, write, directory: path.resolve(directory), help };
}

function parse(args: readonly string[]) {
  return parseWords(args, { ...commonOptions, only: { type: 'string', multiple: true } });
}

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<O extends Options> = ReturnType<typeof parseArgs<{ readonly args: string[]; readonly options: O }>>['values'];

/** What every program that measures takes. */
export const commonOptions = {
  quick: { type: 'boolean' },
  json: { type: 'string' },
  write: { type: 'boolean' },
  directory: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies Options;

/** @throws UsageError: an option is unknown, or lacks its value. */
export function parseWords<const O extends Options>(args: readonly string[], options: O): Values<O> {
  try {
    return parseArgs<{ readonly args: string[]; readonly options: O }>({ args: [...args], options }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

export function usage(program: string, measurements: readonly { readonly name: string; readonly title: string }[]): string {
  return `${program} -- [--only NAME]... [--quick] [--json FILE] [--write] [--directory DIR]

  --only NAME      runs one measurement; may be given again
  --quick          few and short runs, to see that everything works
  --json FILE      writes every number to FILE
  --write          rewrites the results in the page under docs/
  --directory DIR  where volumes and databases lie meanwhile; the system's folder for temporary files unless told

${measurements.map(({ name, title }) => `  ${name.padEnd(16)} ${title}`).join('\n')}
`;
}
