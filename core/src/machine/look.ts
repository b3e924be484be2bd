import { VbsError } from '../errors.js';
import { fileError } from './file-errors.js';

/**
 * What is at a path: the text of a regular file, null for anything else (a folder, a device, a link that leads nowhere), or why a regular
 * file could not be read, or a folder not be listed or entered.
 */
export type LookedAt = string | null | VbsError;

/** A path that a pattern matches, and what stands in it for each `*`, from left to right. */
export interface Match {
  readonly path: string;
  readonly parts: readonly string[];
}

/** What a machine had at the paths that it was asked to look at, in one act. What it could not see is told to who asks for it alone. */
export class Look {
  readonly #found: ReadonlyMap<string, LookedAt>;
  readonly #faults: readonly (readonly [path: string, fault: VbsError])[];

  constructor(found: Iterable<readonly [path: string, at: LookedAt]>) {
    this.#found = new Map([...found].sort(([one], [other]) => (one < other ? -1 : 1)));
    this.#faults = [...this.#found].flatMap(([path, at]) => (at instanceof VbsError ? [[path, at] as const] : []));
  }

  /** All of it, in order of the paths. */
  entries(): IterableIterator<[path: string, at: LookedAt]> {
    return this.#found.entries();
  }

  /** Whether there is something at a path. @throws PERMISSION_DENIED: a folder on its way may not be entered. */
  has(path: string): boolean {
    if (this.#found.has(path)) return true;
    for (const [folder, fault] of this.#faults) if (path.startsWith(`${folder}/`)) throw fault;
    return false;
  }

  /**
   * The text of a regular file; undefined where there is nothing, or where it has gone while it was read.
   * @throws PERMISSION_DENIED: it may not be read. OUT_OF_RANGE: it is larger than `maxBytes`. FAILED_PRECONDITION: it is no regular file.
   */
  text(path: string): string | undefined {
    const at = this.has(path) ? this.#found.get(path) : undefined;
    if (typeof at === 'string' || at === undefined) return at;
    if (at !== null) throw at;
    throw new VbsError('FAILED_PRECONDITION', `Cannot read ${path}: it is no regular file.`, { context: { path } });
  }

  /** What matches one of the patterns that was looked for, in order of the paths. @throws PERMISSION_DENIED: as {@link has}. */
  matching(pattern: string): readonly Match[] {
    const plain = withoutSlash(pattern);
    const names = plain.split('/');
    for (const [path, fault] of this.#faults) {
      const depth = path.split('/').length;
      if (depth < names.length && patternExpression(names.slice(0, depth).join('/')).test(path)) throw fault;
    }
    const expression = patternExpression(plain);
    return [...this.#found.keys()].flatMap((path) => {
      const parts = expression.exec(path)?.slice(1);
      return parts === undefined ? [] : [{ path, parts }];
    });
  }
}

/** How much one look may read. */
export interface LookOptions {
  /** The most that one file may hold; 1 MiB unless told. */
  readonly maxBytes?: number;
}

/** Limits of one look: patterns, paths that they match, and bytes of all files together. */
export const lookLimits = { patterns: 256, paths: 16_384, bytes: 16 * 1024 * 1024 } as const;

/** @throws INVALID_ARGUMENT: a pattern is not absolute, or holds what a shell would take for more than a `*`. OUT_OF_RANGE: too many. */
export function requirePatterns(patterns: readonly string[]): void {
  if (patterns.length > lookLimits.patterns) {
    const message = `One look takes at most ${lookLimits.patterns} patterns; got ${patterns.length}.`;
    throw new VbsError('OUT_OF_RANGE', message, { context: { field: 'patterns' } });
  }
  for (const pattern of patterns) if (!isLegal(pattern)) throw illegal(pattern);
}

/** A pattern that ends in a slash asks for names alone. */
export function asksForNames(pattern: string): boolean {
  return pattern.endsWith('/');
}

export function withoutSlash(pattern: string): string {
  return pattern.endsWith('/') ? pattern.slice(0, -1) : pattern;
}

const longestPath = 4_095;

function isLegal(pattern: string): boolean {
  if (!pattern.startsWith('/') || pattern.length > longestPath) return false;
  // A lone surrogate has no bytes that a path could be made of.
  if (/[?[\]\\\p{Cc}\p{Cs}]/u.test(pattern)) return false;
  const names = withoutSlash(pattern).slice(1).split('/');
  return names.every((name) => name !== '' && name !== '.' && !name.includes('**')) && names.at(-1) !== '..';
}

function illegal(pattern: string): VbsError {
  const shown = JSON.stringify(pattern.slice(0, 200));
  const message = `The pattern ${shown} is not legal: give an absolute path without "." in which "*" stands for any characters of a name; it may hold no ?, [, ], \\ and no control character.`;
  return new VbsError('INVALID_ARGUMENT', message, { context: { field: 'patterns' } });
}

/** What a `*` matches: any characters of one name, which do not make it a hidden one, as in a shell. */
export function nameExpression(name: string): RegExp {
  const start = name.startsWith('*') ? '(?!\\.)' : '';
  return new RegExp(`^${start}${starred(name)}$`, 's');
}

function patternExpression(pattern: string): RegExp {
  const names = pattern.split('/').map((name) => `${name.startsWith('*') ? '(?!\\.)' : ''}${starred(name)}`);
  return new RegExp(`^${names.join('/')}$`, 's');
}

function starred(name: string): string {
  return name
    .split('*')
    .map((text) => text.replaceAll(/[.+^${}()|]/g, '\\$&'))
    .join('([^/]*)');
}

/** What the kernel says of a file whose object has gone: no such file, device or process. */
const goneErrnos: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'ENODEV', 'ENXIO', 'ESRCH']);

/** Why a file could not be read; undefined where it has gone. */
export function lookFault(error: unknown, path: string): VbsError | undefined {
  const { code, context } = error as NodeJS.ErrnoException & { readonly context?: { readonly errno?: unknown } };
  return goneErrnos.has(context?.errno ?? code) ? undefined : fileError(error, path, 'read');
}

/** @throws OUT_OF_RANGE: the patterns match more than one look may answer. */
export function requireFew(paths: number, bytes: number, context: object = {}): void {
  if (paths > lookLimits.paths) {
    const message = `The patterns match more than the ${lookLimits.paths} paths that one look may answer: give narrower ones.`;
    throw new VbsError('OUT_OF_RANGE', message, { context: { field: 'patterns', ...context } });
  }
  if (bytes <= lookLimits.bytes) return;
  const message = `The files hold more than the ${lookLimits.bytes} bytes that one look may answer: give fewer patterns.`;
  throw new VbsError('OUT_OF_RANGE', message, { context: { field: 'patterns', ...context } });
}
