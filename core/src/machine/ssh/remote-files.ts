import { createHash, randomBytes } from 'node:crypto';
import type { Call } from '../../contract/call.js';
import { isSecret, Secret } from '../../contract/secret.js';
import { VbsError } from '../../errors.js';
import { changedError, lockedError, longestWaitForWriteMs, requireSwappable, writeLockName } from '../file-swap.js';
import type { Argument, RunOptions, RunResult, WriteOptions } from '../machine.js';
import { requireAbsolute } from '../small-files.js';
import { remoteFileError } from './remote-errors.js';
import { failed, notRegular, notYet } from './remote-looks.js';

export type Run = (call: Call, command: readonly [string, ...Argument[]], options?: RunOptions) => Promise<RunResult>;

const usualMaxBytes = 1024 * 1024;

/** Further exit codes of the script below. */
const changed = 6;
const locked = 7;
const lockFailed = 8;

/**
 * Under the lock $4 of descriptor 6 (9 is the guard's), which the tools that it runs hold too. The first line of the input says what the file
 * must hold still: `any`, `none`, or size and SHA-256. The temporary gets its content before it gets its name; both are synced.
 */
const writeScript = `
umask 077
IFS= read -r still
[ -d "\${4%/*}" ] || mkdir -p -- "\${4%/*}" || exit ${lockFailed}
for try in 1 2 3; do
  { true 6>>"$4"; } || exit ${lockFailed}
  exec 6>>"$4"
  flock -w "$5" 6 || exit ${locked}
  [ "$4" -ef "/proc/$$/fd/6" ] && break
  [ "$try" -lt 3 ] || exit ${locked}
done
is_still() {
  case $still in
  any) return 0 ;;
  none) [ ! -e "$1" ]; return ;;
  esac
  [ -e "$1" ] || return 1
  [ -f "$1" ] || exit ${notRegular}
  size=$(wc -c <"$1") || exit ${failed}
  [ $size = "\${still% *}" ] || return 1
  sum=$(sha256sum <"$1") || exit ${failed}
  [ "\${sum%% *}" = "\${still#* }" ]
}
is_still "$1" || exit ${changed}
folder=\${1%/*} temporary=\${1%/*}/.\${1##*/}.$3.tmp
[ -d "$1" ] && { echo 'Is a directory' >&2; exit ${failed}; }
trap 'rm -f -- "$temporary"' EXIT
trap 'exit ${failed}' TERM HUP
cat >"$temporary" && chmod "$2" -- "$temporary" && sync -- "$temporary" && mv -fT -- "$temporary" "$1" && sync -- "\${folder:-/}" || exit ${failed}
trap - EXIT
`;

const script = (text: string, ...words: readonly string[]): readonly [string, ...string[]] => ['/bin/sh', '-c', text, 'sh', ...words];

/** What the file must hold, in the first line of a write's input: not in the arguments, where `ps` shows it. */
function stillLine(ifStill: string | null | undefined): string {
  if (ifStill === undefined) return 'any\n';
  if (ifStill === null) return 'none\n';
  return `${Buffer.byteLength(ifStill)} ${createHash('sha256').update(ifStill).digest('hex')}\n`;
}

/** So long a wait keeps its place among the commands of the machine; then it queues again, since what it waits for may wait for a place. */
const longestWaitMs = 5_000;

/** Small files and folders of another machine, each act in one round trip. */
export class RemoteFiles {
  constructor(
    private readonly host: string,
    private readonly run: Run,
    /** As `run`, but the command is a function of {@link remoteLooks}, which ends within moments. */
    private readonly look: Run,
    /** The same of one that may take long. */
    private readonly watch: Run,
    /** Of the other machine. */
    private readonly stateDirectory: (call: Call) => Promise<string>,
  ) {}

  async read(call: Call, path: string, maxBytes = usualMaxBytes): Promise<string> {
    requireAbsolute(path);
    const { exitCode, stdout, stderr } = await this.look(call, ['v_read_file', path, String(maxBytes + 1)], {
      okExitCodes: [0, 1, failed, notRegular],
      maxOutputBytes: maxBytes + 64 * 1024,
    });
    if (exitCode === notRegular) throw this.#notRegular(path);
    if (exitCode !== 0) throw remoteFileError(stderr, this.host, path, 'read');
    if (Buffer.byteLength(stdout) <= maxBytes) return stdout;
    throw new VbsError('OUT_OF_RANGE', `${path} is larger than the ${maxBytes} bytes that may be read.`, { context: { path, maxBytes } });
  }

  async write(call: Call, path: string, text: string | Secret, { guard, mode = 0o600, ifStill }: WriteOptions): Promise<void> {
    requireAbsolute(path);
    requireSwappable(path, text, ifStill);
    const lock = `${await this.stateDirectory(call)}/files/${writeLockName(path)}`;
    const waitSeconds = String(longestWaitForWriteMs / 1_000);
    const words = script(writeScript, path, mode.toString(8), randomBytes(6).toString('hex'), lock, waitSeconds);
    const input = isSecret(text) ? new Secret(`${stillLine(ifStill)}${text.reveal()}`) : `${stillLine(ifStill)}${text}`;
    const { exitCode, stderr } = await this.run(call, words, {
      guard,
      input,
      okExitCodes: [0, failed, notRegular, changed, locked, lockFailed],
    });
    if (exitCode === failed) throw remoteFileError(stderr, this.host, path, 'write');
    if (exitCode === lockFailed) throw remoteFileError(stderr, this.host, lock, 'lock');
    if (exitCode === notRegular) throw this.#notRegular(path);
    if (exitCode === changed) throw changedError(path, { host: this.host });
    if (exitCode === locked) throw lockedError(path, { host: this.host });
  }

  async list(call: Call, path: string): Promise<readonly string[]> {
    requireAbsolute(path);
    const { exitCode, stdout, stderr } = await this.look(call, ['v_list', path], { okExitCodes: [0, failed] });
    if (exitCode === failed) throw remoteFileError(stderr, this.host, path, 'list');
    return stdout.split('\0').slice(0, -1).sort();
  }

  async wait(call: Call, path: string, until: 'present' | 'absent', limitMs: number): Promise<void> {
    requireAbsolute(path);
    const deadline = performance.now() + limitMs;
    for (let leftMs = limitMs; ; leftMs = deadline - performance.now()) {
      if (await this.#waitOnce(call, path, until, Math.max(0, Math.ceil(Math.min(leftMs, longestWaitMs))))) return;
      if (leftMs > longestWaitMs && !call.signal.aborted) continue;
      const why = call.signal.aborted ? 'before the call was cancelled' : `within ${limitMs} ms`;
      throw new VbsError('DEADLINE_EXCEEDED', `${path} was not ${until} ${why}.`, { context: { path, until, limitMs, host: this.host } });
    }
  }

  #notRegular(path: string): VbsError {
    const message = `Cannot read ${path}: it is no regular file (on ${this.host}).`;
    return new VbsError('FAILED_PRECONDITION', message, { context: { path, host: this.host } });
  }

  async #waitOnce(call: Call, path: string, until: 'present' | 'absent', ms: number): Promise<boolean> {
    try {
      return (await this.watch(call, ['v_wait_path', path, until, String(ms)], { okExitCodes: [0, notYet] })).exitCode === 0;
    } catch (error) {
      // Cut short by its call, it was looking: nothing else is unknown about it.
      if (call.signal.aborted) return false;
      throw error;
    }
  }
}
