import type { ToolResult } from '../frame/tool.js';

/** iscsiadm's options: the letter and whether a value follows. */
const options: Readonly<Record<string, readonly [letter: string, takesValue: boolean]>> = {
  '--mode': ['m', true],
  '--targetname': ['T', true],
  '--portal': ['p', true],
  '--op': ['o', true],
  '--name': ['n', true],
  '--value': ['v', true],
  '--type': ['t', true],
  '--sid': ['r', true],
  '--interface': ['I', true],
  '--print': ['P', true],
  '--login': ['l', false],
  '--logout': ['u', false],
  '--rescan': ['R', false],
  '--version': ['V', false],
};

/** What each mode takes. */
const taken: Readonly<Record<string, string>> = { node: 'mTponvIPluR', session: 'mruRPonv', discovery: 'mtpIolP' };

export interface IscsiadmArguments {
  readonly mode: string;
  readonly flags: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, readonly string[]>;
}

/** @throws a ToolResult: what iscsiadm says of a wrong command line. */
export function parseArguments(args: readonly string[]): IscsiadmArguments {
  const flags = new Set<string>();
  const values = new Map<string, string[]>();
  const words = [...args];
  let unknown: string | undefined;
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const known = options[word] ?? Object.values(options).find(([letter]) => `-${letter}` === word);
    if (known === undefined) unknown ??= word;
    else if (!known[1]) flags.add(known[0]);
    else {
      const value = words.shift();
      if (value === undefined) throw failure(7, `iscsiadm: option requires an argument -- '${known[0]}'`);
      values.set(known[0], [...(values.get(known[0]) ?? []), value]);
    }
  }
  const mode = { node: 'node', session: 'session', discovery: 'discovery', discoverydb: 'discovery' }[values.get('m')?.[0] ?? ''] ?? '';
  if (flags.has('V')) throw { stdout: 'iscsiadm version 2.1.8\n' } satisfies ToolResult;
  if (unknown !== undefined) {
    throw failure(7, `iscsiadm: unrecognized option '${unknown}'`, `iscsiadm: ${mode} mode: option '-?' is not allowed/supported`);
  }
  if (!values.has('m')) throw failure(7, "Try `iscsiadm --help' for more information.");
  if (mode === '') throw failure(7, 'iscsiadm: mode -1 is not yet supported');
  const wrong = [...flags, ...values.keys()].find((letter) => !taken[mode]?.includes(letter));
  if (wrong !== undefined) throw failure(7, `iscsiadm: ${mode} mode: option '-${wrong}' is not allowed/supported`);
  return { mode, flags, values };
}

export function failure(exitCode: number, ...lines: readonly string[]): ToolResult {
  return { exitCode, stderr: lines.map((line) => `${line}\n`).join('') };
}

/** `address:port`, an IPv6 address in brackets; the port is 3260 unless told, a group behind a comma is passed over. */
export function parsePortal(text: string): { readonly address: string; readonly port: number } {
  const [, six, name, port] = /^(?:\[([^\]]+)\]|([^:,]+))(?::(\d+))?(?:,-?\d+)?$/.exec(text) ?? [];
  const address = six ?? name;
  if (address === undefined) throw failure(7, `iscsiadm: invalid portal ${text}`);
  return { address, port: Number(port ?? 3260) };
}
