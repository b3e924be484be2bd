import { isSecret, type Secret } from '../contract/secret.js';
import type { Argument } from './machine.js';

/** Shows a command and what came of it without the text of its secrets. */
export interface Redactor {
  /** The argument list, each Secret as `[redacted]`. */
  readonly command: readonly string[];
  /** A text with every secret's text in it replaced. */
  text(text: string): string;
}

/** A redactor for a command and the text of its standard input. */
export function redactorOf(command: readonly Argument[], input?: string | Secret): Redactor {
  const secrets = [...command, input].filter(isSecret);
  // A tool may print only one line of a secret, or trim it.
  const texts = secrets.flatMap((secret) => [secret.reveal(), ...secret.reveal().split(/\r?\n/)]).flatMap((text) => [text, text.trim()]);
  const longestFirst = [...new Set(texts)].filter((text) => text !== '').sort((a, b) => b.length - a.length);
  const text = (shown: string): string => longestFirst.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), shown);
  return { command: command.map((word) => text(String(word))), text };
}
