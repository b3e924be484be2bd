import type { CommandSpec } from '../command-spec.js';
import { manualOf, type Section } from '../help/manual.js';
import { overview } from '../help/overview.js';

/** docs/cli.md, from the texts of which the program and its help are made. */
export function referenceOf(commands: readonly CommandSpec[]): string {
  return [
    '# The command line',
    'Generated from the program by `npm run generate`: change cli/src, not this. Each page is what `vbs help COMMAND` shows.',
    [
      'How to run a server with it, and what to do when something is in the way: [operators.md](operators.md).',
      'Error codes: [errors.md](errors.md).',
    ].join(' '),
    ...overview(commands).map((section) => render(section, 2)),
    ...commands.flatMap((spec) => pageOf(spec, `vbs ${spec.name}`, 2)),
  ]
    .join('\n\n')
    .concat('\n');
}

function pageOf(spec: CommandSpec, path: string, level: number): readonly string[] {
  const [name, ...sections] = manualOf(spec, path, { withGlobals: false });
  return [
    `${'#'.repeat(level)} ${path}`,
    ...(name?.paragraphs === undefined ? [] : [`${spec.summary}.`]),
    ...sections.map((section) => render(section, level + 1)),
    ...(spec.commands ?? []).flatMap((one) => pageOf(one, `${path} ${one.name}`, level + 1)),
  ];
}

/** The parts of a page are bold rather than headings: thirty headings "Options" would lead nowhere. */
function render({ title, paragraphs = [], terms = [], code = [] }: Section, level: number): string {
  const parts = [
    level === 2 ? `## ${title}` : `**${title}**`,
    ...paragraphs.map((text) => (title === 'See also' ? linked(text) : escaped(text))),
    ...(code.length === 0 ? [] : [`\`\`\`text\n${code.join('\n')}\n\`\`\``]),
    ...(terms.length === 0 ? [] : [terms.map(([term, text]) => `- \`${term}\`: ${escaped(text)}`).join('\n')]),
  ];
  return parts.join('\n\n');
}

function linked(text: string): string {
  return text
    .split(', ')
    .map((name) => (name === 'vbs help' ? '`vbs help`' : `[${name}](#${name.replaceAll(' ', '-')})`))
    .join(', ');
}

/** What Markdown would read as its own, outside of code. */
function escaped(text: string): string {
  return text.replace(/<[^>]+>|\[[^\]]+\]|\*/g, (part) => (part === '*' ? '\\*' : `\`${part}\``));
}
