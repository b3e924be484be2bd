import { randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { VbsError } from '../errors.js';
import { isRunning, listMarked, listProcesses, type ProcessStat, readProcessStat } from './proc.js';
import type { ProcessIdentity } from './process-identity.js';
import { guardVariable } from './tool-environment.js';

/** A tool that runs, or ran, under a guard. */
export interface GuardedTool {
  /** The value of {@link guardVariable}, drawn for each tool. */
  readonly token: string;
  /** Not known yet when the record is written before the tool is started; a crash may keep it so. */
  readonly process?: { readonly pid: number; readonly startTime: number };
}

/** What lies beside a guard's lock: who held it last, and with what. */
export interface GuardRecord {
  readonly epoch: number;
  /** The VBS process that wrote it. */
  readonly holder: ProcessIdentity;
  readonly tools: readonly GuardedTool[];
}

/** The record, undefined if there was none ever. @throws FAILED_PRECONDITION: the file is damaged. */
export function readGuardRecord(path: string, resource: string): GuardRecord | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const record = parse(text);
  if (record !== undefined) return record;
  throw new VbsError(
    'FAILED_PRECONDITION',
    `The guard record ${path} is damaged, so that it cannot be told whether a newer process has taken ${resource} over. Recovery repairs ` +
      'it by itself; without it, make sure that no command for the resource runs and remove the file.',
    { resource, context: { path } },
  );
}

/** What the kernel writes at once, all or nothing where the process is killed: a page. */
const pageBytes = 4_096;

/**
 * Writes the record so that another process finds the old one or the new, also when this one is killed. A new one gets its name when it is
 * whole; one that is there is overwritten, since each file that is given up makes the next files slow to make (ext4 looks at every inode
 * that was freed in the last seconds). Nothing is synced: it is about processes of this boot, and whoever loses power loses them all.
 */
export function writeGuardRecord(path: string, record: GuardRecord): void {
  const bytes = Buffer.from(JSON.stringify(record));
  if (!overwritten(path, bytes)) replace(path, bytes);
}

/** Answers false, and does nothing, where there is no file or one write does not do. */
function overwritten(path: string, bytes: Buffer): boolean {
  let fd: number;
  try {
    fd = openSync(path, constants.O_WRONLY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  try {
    const padded = Buffer.alloc(Math.max(bytes.length, fstatSync(fd).size), ' ');
    if (padded.length > pageBytes) return false;
    bytes.copy(padded);
    if (writeSync(fd, padded, 0, padded.length, 0) === padded.length) return true;
    throw new Error(`a write of ${padded.length} bytes was cut`);
  } finally {
    closeSync(fd);
  }
}

function replace(path: string, bytes: Buffer): void {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    writeFileSync(temporary, bytes, { flag: 'wx', mode: 0o600 });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function parse(text: string): GuardRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { epoch, holder, tools } = value as Partial<GuardRecord>;
  const whole = Number.isSafeInteger(epoch) && typeof holder?.bootId === 'string' && Array.isArray(tools);
  return whole ? (value as GuardRecord) : undefined;
}

/** The tools of a record that run still, by pid and start time. */
export function runningToolsOf(record: GuardRecord): readonly ProcessStat[] {
  const stats = record.tools.map(({ process }) => (process !== undefined && isRunning(process) ? readProcessStat(process.pid) : undefined));
  return stats.filter((stat) => stat !== undefined);
}

/**
 * The processes that a record's tools still are: the tool itself, or what is left of its group; for one whose pid was not
 * written in time, whatever bears its token. None when the machine was booted since.
 */
export async function leftoversOf(record: GuardRecord, bootId: string): Promise<readonly ProcessStat[]> {
  if (record.holder.bootId !== bootId) return [];
  const found: ProcessStat[] = [];
  for (const { token, process } of record.tools) {
    if (process !== undefined && isRunning(process)) {
      const stat = readProcessStat(process.pid);
      if (stat !== undefined) found.push(stat);
    } else if (process === undefined || listProcesses().some((member) => member.group === process.pid)) {
      // A group of this number may be another's by now: only the token tells.
      const inGroup = (stat: ProcessStat): boolean => process === undefined || stat.group === process.pid;
      const marked = await listMarked(guardVariable, inGroup);
      found.push(...marked.filter(({ value }) => value === token));
    }
  }
  return found;
}
