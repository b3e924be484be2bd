import { tmpdir } from 'node:os';
import path from 'node:path';
import { commonOptions, parseWords, UsageError } from '../options.js';

export interface PaperOptions {
  readonly quick: boolean;
  /** Where the run goes as JSON. */
  readonly json: string | null;
  /** A run that `--json` wrote, instead of measuring. */
  readonly from: string | null;
  /** Whether the page and the plots are rewritten. */
  readonly write: boolean;
  /** Where the database lies meanwhile. */
  readonly directory: string;
  readonly help: boolean;
}

export const paperUsage = `npm run bench:paper -- [--quick] [--json FILE] [--from FILE] [--write] [--directory DIR]

  --quick          one round with the smallest file, to see that everything works
  --json FILE      writes every number to FILE
  --from FILE      reads a run from such a file, and measures nothing
  --write          rewrites the results in docs/paper-experiment.md and its plots
  --directory DIR  where the database lies meanwhile; the system's folder for temporary files unless told
`;

/** @throws UsageError: an option is unknown, or two contradict each other. */
export function readPaperOptions(args: readonly string[]): PaperOptions {
  const {
    quick = false,
    json,
    from,
    write = false,
    directory = tmpdir(),
    help = false,
  } = parseWords(args, { ...commonOptions, from: { type: 'string' } });
  if (from !== undefined && quick) throw new UsageError('--from reads what was measured: leave --quick out');
  return { quick, json: json ?? null, from: from ?? null, write, directory: path.resolve(directory), help };
}
