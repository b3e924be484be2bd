import type { CommandOverride } from '../config/configuration.js';
import { type ConfigurationFault, pointer } from '../config/fault.js';
import { nearest } from '../config/nearest.js';
import { isVbsError } from '../errors.js';
import type { CommandSet } from './command-set.js';
import { type CommandPattern, parsePattern } from './pattern.js';

/** A plugin's commands as the configuration has replaced them, and what that costs. */
export interface OverriddenCommands {
  readonly commands: CommandSet;
  /** The capabilities that went with left-out placeholders. */
  readonly withdrawn: ReadonlySet<string>;
  /** For CONFIG_INVALID; `commands` is of use only when there is none. */
  readonly faults: readonly ConfigurationFault[];
}

export interface OverrideScope {
  /** The JSON pointer of the instance. */
  readonly path: string;
  /** The capabilities of the provider: no other can be withdrawn. */
  readonly capabilities: readonly string[];
}

/** Replaces commands by the configuration's patterns, and answers every fault of these at once. */
export function applyOverrides(
  commands: CommandSet,
  overrides: Readonly<Record<string, CommandOverride>>,
  { path, capabilities }: OverrideScope,
): OverriddenCommands {
  const replaced: Record<string, string> = { ...commands };
  const withdrawn = new Set<string>();
  const faults: ConfigurationFault[] = [];
  for (const [name, override] of Object.entries(overrides)) {
    const at = pointer(path, 'commands', name);
    const original = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (original === undefined) {
      faults.push({ path: at, message: `the plugin has no command of this name. ${suggestion(name, Object.keys(commands))}` });
      continue;
    }
    faults.push(...unknownCapabilities(override, capabilities).map((message) => ({ path: pointer(at, 'withdraws'), message })));
    try {
      const messages = comparePlaceholders(parsePattern(name, original), parsePattern(name, override.pattern), override);
      faults.push(...messages.map((message) => ({ path: at, message })));
    } catch (error) {
      if (!isVbsError(error)) throw error;
      faults.push({ path: at, message: error.message });
    }
    replaced[name] = override.pattern;
    for (const capability of override.withdraws) withdrawn.add(capability);
  }
  return { commands: replaced, withdrawn, faults };
}

function comparePlaceholders(original: CommandPattern, pattern: CommandPattern, { withdraws }: CommandOverride): readonly string[] {
  const known = [...original.placeholders];
  const unknown = [...pattern.placeholders].filter((name) => !original.placeholders.has(name));
  const missing = known.filter((name) => !pattern.placeholders.has(name));
  const faults = unknown.map((name) => `the plugin gives no value for <${name}>. ${suggestion(name, known)}`);
  if (missing.length > 0 && withdraws.length === 0) {
    const list = missing.map((name) => `<${name}>`).join(', ');
    faults.push(`the pattern leaves ${list} out: say in "withdraws" which capabilities go with that, or put it in.`);
  }
  return faults;
}

function unknownCapabilities({ withdraws }: CommandOverride, capabilities: readonly string[]): readonly string[] {
  const unknown = withdraws.filter((name) => !capabilities.includes(name));
  return unknown.map((name) => `the plugin has no capability ${JSON.stringify(name)}. ${suggestion(name, capabilities)}`);
}

function suggestion(name: string, legal: readonly string[]): string {
  const near = nearest(name, legal);
  if (near !== undefined) return `Did you mean ${JSON.stringify(near)}?`;
  return legal.length === 0 ? 'It has none.' : `Legal are ${legal.join(', ')}.`;
}
