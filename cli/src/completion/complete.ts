import { type Complete, RootCommand } from '@bomb.sh/tab';
import type { CommandSpec, Completes, OptionSpec } from '../command-spec.js';
import { globalOptions } from '../help/common.js';

/** Words of one kind, fetched before the completion is made, which cannot wait. */
export type Words = (kind: Exclude<Completes, readonly string[]>) => Promise<readonly string[]>;

/**
 * Prints what may follow the words of a command line, one a line with its description, as the scripts of `vbs completion` read it.
 * The last word is the one that is being typed.
 */
export async function complete(typed: readonly string[], commands: readonly CommandSpec[], words: Words): Promise<void> {
  const root = new RootCommand();
  addOptions(root, globalOptions, new Map());
  const paths = pathsOf(commands, '');
  const kinds = kindsOf(wantedOf(typed, paths));
  const known = new Map(await Promise.all([...kinds].map(async (kind) => [kind, await words(kind)] as const)));
  for (const [path, spec] of paths) {
    const command = root.command(path, spec.summary);
    addOptions(command, [...globalOptions, ...(spec.options ?? [])], known);
    for (const { name, variadic, completes, choices } of spec.arguments ?? [])
      command.argument(name, handlerOf(choices ?? completes, known), variadic === true);
    for (const one of spec.commands ?? []) if (spec.run === undefined) command.argument(one.name);
  }
  root.parse([...typed]);
}

function pathsOf(commands: readonly CommandSpec[], before: string): ReadonlyMap<string, CommandSpec> {
  return new Map(
    commands.flatMap((spec): [string, CommandSpec][] => {
      const path = `${before}${spec.name}`;
      return [[path, spec], ...pathsOf(spec.commands ?? [], `${path} `)];
    }),
  );
}

/** The command that the words name, if they name one whole. */
function wantedOf(typed: readonly string[], paths: ReadonlyMap<string, CommandSpec>): CommandSpec | undefined {
  const plain = typed.filter((word) => !word.startsWith('-'));
  return paths.get(plain.slice(0, 2).join(' ')) ?? plain.flatMap((word) => paths.get(word) ?? [])[0];
}

function kindsOf(spec: CommandSpec | undefined): ReadonlySet<Exclude<Completes, readonly string[]>> {
  const all = [...(spec?.arguments ?? []), ...(spec?.options ?? [])].map(({ completes }) => completes);
  return new Set(all.filter((one): one is Exclude<Completes, readonly string[]> => typeof one === 'string'));
}

type Known = ReadonlyMap<string, readonly string[]>;
type Handler = (complete: Complete) => void;

function handlerOf(completes: Completes | undefined, known: Known): Handler | undefined {
  if (completes === undefined) return undefined;
  return (tell) => {
    for (const word of typeof completes === 'string' ? (known.get(completes) ?? []) : completes) tell(word, '');
  };
}

function addOptions(command: RootCommand | ReturnType<RootCommand['command']>, options: readonly OptionSpec[], known: Known): void {
  for (const { flags, text, choices, completes } of options) {
    const name = /--([a-z-]+)/.exec(flags)?.[1] ?? '';
    if (flags.includes('<')) command.option(name, text, handlerOf(choices ?? completes, known) ?? (() => undefined));
    else command.option(name, text);
  }
}
