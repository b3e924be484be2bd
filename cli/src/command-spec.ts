import type { Context } from './context/context.js';
import type { Invocation } from './invocation.js';

export const groups = ['Volumes', 'Snapshots', 'Attachments', 'The store', 'Looking after it', 'Other'] as const;
export type Group = (typeof groups)[number];

/** What a shell may complete: ids of the running server, or words. */
export type Completes = 'volumes' | 'snapshots' | 'attachments' | 'operations' | 'backends' | 'vmmHosts' | readonly string[];

export interface ArgumentSpec {
  readonly name: string;
  readonly text: string;
  readonly optional?: true;
  readonly variadic?: true;
  readonly completes?: Completes;
  readonly choices?: readonly string[];
}

export interface OptionSpec {
  /** As commander reads it: `--backend <name>`. */
  readonly flags: string;
  readonly text: string;
  readonly choices?: readonly string[];
  /** Reads the value. @throws INVALID_ARGUMENT */
  readonly parse?: (text: string, flags: string) => unknown;
  /** What the help says when it is not given. */
  readonly usually?: string;
  readonly completes?: Completes;
}

export interface Example {
  readonly line: string;
  readonly text: string;
}

/** A command: what the program, its help, its reference and its completion are made of. */
export interface CommandSpec {
  readonly name: string;
  readonly group: Group;
  readonly summary: string;
  /** Paragraphs. */
  readonly description: readonly string[];
  /** What follows the command's name, where the arguments alone do not tell. */
  readonly synopsis?: readonly string[];
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  readonly examples: readonly Example[];
  /** What this command's exit status says beside the common ones. */
  readonly exitStatus?: readonly (readonly [status: string, text: string])[];
  readonly seeAlso: readonly string[];
  readonly commands?: readonly CommandSpec[];
  /** Does it; answers the exit status where it is not 0. */
  readonly run?: (invocation: Invocation, context: Context) => Promise<number | undefined>;
}
