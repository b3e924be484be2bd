import { isDeepStrictEqual } from 'node:util';
import type { Guest } from '@vbs/lab';

/** What a command line came to. */
export interface Said {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A word of shell in a line: for what is known only when the line is typed. */
export interface Typed {
  readonly shell: string;
}

/** Types all lines to one shell of the guest, whose commands would else cost more than themselves. */
export async function typed(guest: Guest, lines: readonly (readonly (string | Typed)[])[], prelude = ''): Promise<readonly Said[]> {
  const quoted = lines.map((line) => `say ${line.map((word) => (typeof word === 'string' ? `'${word}'` : word.shell)).join(' ')}`);
  const told = await guest.script(`
    export LC_ALL=C
    say() { local code=0; "$@" >/tmp/said.out 2>/tmp/said.err </dev/null || code=$?; printf '%s\\n' "$code" "$(base64 -w0 /tmp/said.out)" "$(base64 -w0 /tmp/said.err)"; }
    ${prelude}
    ${quoted.join('\n')}`);
  const parts = told.split('\n');
  const text = (part: string | undefined): string => Buffer.from(part ?? '', 'base64').toString();
  return lines.map((_line, index) => ({
    exitCode: Number(parts[3 * index]),
    stdout: text(parts[3 * index + 1]),
    stderr: text(parts[3 * index + 2]),
  }));
}

/** The lines to which a stand-in answered otherwise than the real tool, with both answers. */
export function differing<A>(
  lines: readonly (readonly (string | Typed)[])[],
  stood: readonly Said[],
  said: readonly Said[],
  comparable: (said: Said) => A,
): readonly { readonly line: string; readonly standIn: A; readonly real: A }[] {
  return lines.flatMap((words, index) => {
    const line = words.map((word) => (typeof word === 'string' ? word : word.shell)).join(' ');
    const [standIn, real] = [stood[index], said[index]].map((one) => comparable(one ?? { exitCode: Number.NaN, stdout: '', stderr: '' }));
    return standIn === undefined || real === undefined || isDeepStrictEqual(standIn, real) ? [] : [{ line, standIn, real }];
  });
}
