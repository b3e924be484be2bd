import type { ArgumentSpec, CommandSpec, OptionSpec } from '../command-spec.js';
import { exitStatuses, globalOptions } from './common.js';

/** One part of a manual page. */
export interface Section {
  readonly title: string;
  readonly paragraphs?: readonly string[];
  /** Terms and what they mean. */
  readonly terms?: readonly (readonly [term: string, text: string])[];
  /** Lines that are shown as they are. */
  readonly code?: readonly string[];
}

function usageOf({ arguments: given = [], options, commands }: CommandSpec, path: string): string {
  const parts = given.map(({ name, optional, variadic }) => {
    const shown = variadic === true ? `${name}...` : name;
    return optional === true ? `[${shown}]` : `<${shown}>`;
  });
  const command = commands === undefined ? [] : ['<command>'];
  return [path, ...command, ...(options === undefined ? [] : ['[options]']), ...parts].join(' ');
}

function optionTerm({ flags, text, choices, usually }: OptionSpec): readonly [string, string] {
  const legal = choices === undefined || /\btable\b/.test(text) ? '' : ` One of ${choices.join(', ')}.`;
  return [flags, `${text}${legal}${usually === undefined ? '' : ` Usually: ${usually}.`}`];
}

function argumentTerm({ name, text, choices }: ArgumentSpec): readonly [string, string] {
  return [`<${name}>`, `${text}${choices === undefined ? '' : ` One of ${choices.join(', ')}.`}`];
}

/** The manual page of a command, its global options left to `vbs --help` in the reference. */
export function manualOf(spec: CommandSpec, path: string, { withGlobals }: { readonly withGlobals: boolean }): readonly Section[] {
  const { summary, description, arguments: given = [], options = [], commands = [], examples, exitStatus = [], seeAlso } = spec;
  const sections: Section[] = [
    { title: 'Name', paragraphs: [`${path} - ${summary.charAt(0).toLowerCase()}${summary.slice(1)}`] },
    { title: 'Synopsis', code: spec.synopsis?.map((one) => `${path} ${one}`) ?? [usageOf(spec, path)] },
    { title: 'Description', paragraphs: description },
  ];
  if (commands.length > 0) sections.push({ title: 'Commands', terms: commands.map((one) => [one.name, `${one.summary}.`] as const) });
  if (given.length > 0) sections.push({ title: 'Arguments', terms: given.map(argumentTerm) });
  if (options.length > 0) sections.push({ title: 'Options', terms: options.map(optionTerm) });
  if (withGlobals) sections.push({ title: 'Global options', terms: [...globalOptions.map(optionTerm), ['--help', 'This page.']] });
  sections.push({ title: 'Examples', terms: examples.map(({ line, text }) => [line, text] as const) });
  const statuses = exitStatus.length > 0 ? exitStatus : exitStatuses;
  if (withGlobals || exitStatus.length > 0) sections.push({ title: 'Exit status', terms: statuses });
  sections.push({ title: 'See also', paragraphs: [seeAlso.map((name) => `vbs ${name}`).join(', ')] });
  return sections;
}
