import { randomBytes } from 'node:crypto';
import type { Call } from '../../contract/call.js';
import { isVbsError, VbsError } from '../../errors.js';
import { asksForNames, Look, type LookedAt, type LookOptions, lookLimits, requireFew, requirePatterns, withoutSlash } from '../look.js';
import type { RunResult } from '../machine.js';
import { remoteFileError } from './remote-errors.js';
import type { Run } from './remote-files.js';
import { tooMany } from './remote-looks.js';

const usualMaxBytes = 1024 * 1024;
/** Of the paths, and of the marks between files. */
const besidesBytes = 8 * 1024 * 1024;
/** A mark is read by the same limit. */
const fewestBytes = 64;

const gone = /No such (?:file or directory|device|process)|Not a directory/;
const complaint = /^\S+: (?:cannot open |error reading )?'?(\/.*?)'?(?: for reading)?: ([^:]+)$/;

/** Looks at files and folders of another machine in one round trip; `run` runs a function of its shell's library there. */
export async function lookThere(
  run: Run,
  host: string,
  call: Call,
  patterns: readonly string[],
  { maxBytes = usualMaxBytes }: LookOptions = {},
): Promise<Look> {
  requirePatterns(patterns);
  if (patterns.length === 0) return new Look([]);
  const wanted = [...new Set(patterns)];
  const mark = randomBytes(16).toString('hex');
  const limits = [String(Math.max(maxBytes + 1, fewestBytes)), String(lookLimits.paths)];
  const texts = wanted.filter((pattern) => !asksForNames(pattern));
  const names = wanted.filter(asksForNames).map(withoutSlash);
  const lists = [texts, foldersOf([...texts, ...names]), names].map((list) => list.join('\n'));
  const words = ['v_look_at', mark, ...limits, ...lists] as const;
  const { exitCode, stdout, stderr } = await withinLimit(host, () =>
    run(call, words, { okExitCodes: [0, tooMany], maxOutputBytes: lookLimits.bytes + besidesBytes }),
  );
  if (exitCode === tooMany) requireFew(lookLimits.paths + 1, 0, { host });
  const found = parse(stdout, mark, host);
  requireFew(
    0,
    [...found.values()].reduce((sum, at) => sum + bytesOf(at), 0),
    { host },
  );
  judge(found, stderr, host);
  for (const [path, at] of found) {
    if (bytesOf(at) <= maxBytes) continue;
    const message = `${path} is larger than the ${maxBytes} bytes that may be read.`;
    found.set(path, new VbsError('OUT_OF_RANGE', message, { context: { path, maxBytes, host } }));
  }
  return new Look(found);
}

/**
 * The folders on the way of patterns from their first `*` on, with a slash behind those that are listed: a shell takes one that it may
 * not list, or enter, for empty.
 */
function foldersOf(patterns: readonly string[]): readonly string[] {
  const folders = new Set<string>();
  for (const pattern of patterns) {
    const names = pattern.split('/');
    const first = names.findIndex((name) => name.includes('*'));
    if (first < 0) continue;
    for (const [index, name] of names.entries()) {
      if (index < first) continue;
      folders.add(`${names.slice(0, index).join('/')}${name.includes('*') ? '/' : ''}`);
    }
  }
  return [...folders];
}

/** What `v_look_at` told. */
function parse(stdout: string, mark: string, host: string): Map<string, LookedAt> {
  const found = new Map<string, LookedAt>();
  const between = `V=${mark}\0`;
  let at = 0;
  const upTo = (end: string): string => {
    const next = stdout.indexOf(end, at);
    if (next < 0) throw new VbsError('INTERNAL', `What a look at files answered on ${host} is not whole.`, { context: { host } });
    const text = stdout.slice(at, next);
    at = next + end.length;
    return text;
  };
  while (at < stdout.length) {
    const files: string[] = [];
    for (let entry = upTo('\0'); entry !== ''; entry = upTo('\0')) {
      const path = entry.slice(1);
      if (entry.startsWith('f')) files.push(path);
      else found.set(path, entry.startsWith('d') ? remoteFileError('Permission denied', host, path, 'look at') : null);
    }
    for (const path of files) found.set(path, upTo(between));
  }
  return found;
}

/** Takes what the tool could not read for what it is. */
function judge(found: Map<string, LookedAt>, stderr: string, host: string): void {
  for (const line of stderr.split('\n').filter((text) => text.trim() !== '')) {
    const [, path = '', said = ''] = complaint.exec(line) ?? [];
    if (!found.has(path)) throw new VbsError('INTERNAL', `A look at files failed on ${host}: ${line.slice(0, 300)}`, { context: { host } });
    if (gone.test(said)) found.delete(path);
    else found.set(path, remoteFileError(said, host, path, 'read'));
  }
}

function bytesOf(at: LookedAt): number {
  return typeof at === 'string' ? Buffer.byteLength(at) : 0;
}

async function withinLimit(host: string, act: () => Promise<RunResult>): Promise<RunResult> {
  try {
    return await act();
  } catch (error) {
    if (isVbsError(error) && error.code === 'INTERNAL' && error.context.maxOutputBytes !== undefined) {
      requireFew(0, lookLimits.bytes + 1, { host });
    }
    throw error;
  }
}
