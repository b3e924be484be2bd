import type { Section } from './manual.js';

const usualWidth = 80;
const leastWidth = 30;
const mostWidth = 100;

/** The width of help: that of the terminal, within reason. */
export function helpWidth(columns: number | undefined): number {
  return Math.min(Math.max(columns ?? usualWidth, leastWidth), mostWidth);
}

/** A manual page as text, as `man` lays it out. */
export function renderText(sections: readonly Section[], width: number): string {
  return `${sections.map((section) => renderSection(section, width)).join('\n\n')}\n`;
}

function renderSection({ title, paragraphs = [], terms = [], code = [] }: Section, width: number): string {
  const blocks = [
    ...paragraphs.map((paragraph) => wrap(paragraph, width, 2)),
    ...(code.length === 0 ? [] : [code.map((line) => `  ${line}`).join('\n')]),
    ...(terms.length === 0 ? [] : [terms.map(([term, text]) => `  ${term}\n${wrap(text, width, 6)}`).join('\n')]),
  ];
  return `${title.toUpperCase()}\n${blocks.join('\n\n')}`;
}

/** Words in lines of at most `width`, a longer word on a line of its own. */
export function wrap(text: string, width: number, indent: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((one) => ' '.repeat(indent) + one).join('\n');
}
