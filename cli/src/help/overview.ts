import { type CommandSpec, groups } from '../command-spec.js';
import { environment, exitStatuses, globalOptions, whichStore } from './common.js';
import type { Section } from './manual.js';

/** What `vbs help` shows: every command by its group. */
export function overview(commands: readonly CommandSpec[]): readonly Section[] {
  const list = (group: string) =>
    commands.filter((command) => command.group === group).map(({ name, summary }) => [name, `${summary}.`] as const);
  return [
    { title: 'Name', paragraphs: ['vbs - the Virtual Block Store: volumes and snapshots that outlive virtual machines'] },
    { title: 'Synopsis', code: ['vbs <command> [options] [arguments]', 'vbs help <command>'] },
    ...groups.map((group) => ({ title: group, terms: list(group) })),
    {
      title: 'Global options',
      terms: [
        ...globalOptions.map(({ flags, text, usually }) => [flags, usually === undefined ? text : `${text} Usually: ${usually}.`] as const),
        ['--version', 'The version.'],
        ['--help', 'This page; after a command, that of the command.'],
      ],
    },
    { title: 'Which store', paragraphs: whichStore },
    { title: 'Environment', terms: environment },
    { title: 'Exit status', terms: exitStatuses },
  ];
}
