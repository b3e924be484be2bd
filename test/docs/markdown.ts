import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the repository. */
export const root = fileURLToPath(new URL('../../../', import.meta.url));

/** A fenced block, also one in a list: its info string in words, and the text between the fences without the fence's indent. */
export interface Block {
  readonly info: readonly string[];
  readonly text: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
}

/** A document of the repository, by its path from the root. */
export function readDocument(path: string): Promise<string> {
  return readFile(join(root, path), 'utf8');
}

/** The fenced blocks of a document, in order. @throws Error: a fence is left open. */
export function blocksOf(markdown: string): readonly Block[] {
  const blocks: Block[] = [];
  let open: { info: readonly string[]; indent: string; lines: string[]; line: number } | undefined;
  for (const [index, line] of markdown.split('\n').entries()) {
    const [, indent = '', info] = /^( *)```(.*)$/.exec(line) ?? [];
    if (info === undefined) open?.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    else if (open === undefined) open = { info: info.trim().split(/\s+/), indent, lines: [], line: index + 1 };
    else {
      blocks.push({ info: open.info, text: `${open.lines.join('\n')}\n`, line: open.line });
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`the block that begins at line ${open.line} does not end`);
  return blocks;
}

/** The document without its fenced blocks and its code spans, in which brackets are no links. */
export function proseOf(markdown: string): string {
  return markdown.replaceAll(/^ *```.*?^ *```$/gms, '').replaceAll(/`[^`\n]*`/g, '');
}

/** The targets of inline links and images, without titles. */
export function linksOf(markdown: string): readonly string[] {
  return [...proseOf(markdown).matchAll(/\]\(([^()\s]+)(?:\s+"[^"]*")?\)/g)].map((match) => match[1] ?? '');
}

/** The anchors of the headings, as GitHub makes them. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const anchors = new Set<string>();
  for (const [, heading = ''] of markdown.replaceAll(/^ *```.*?^ *```$/gms, '').matchAll(/^#{1,6} +(.+?) *$/gm)) {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    anchors.add(times === 0 ? slug : `${slug}-${times}`);
  }
  return anchors;
}

/** The rows of the first table whose head begins with these cells; code marks are kept. @throws Error: there is none. */
export function tableOf(markdown: string, head: readonly string[]): readonly (readonly string[])[] {
  const lines = markdown.split('\n');
  const cellsOf = (line: string): string[] =>
    line
      .slice(1, line.lastIndexOf('|'))
      .split('|')
      .map((cell) => cell.trim());
  const start = lines.findIndex((line) => line.startsWith('|') && head.every((cell, index) => cellsOf(line)[index] === cell));
  if (start === -1) throw new Error(`no table begins with ${head.join(' | ')}`);
  const rest = lines.slice(start + 2);
  const end = rest.findIndex((line) => !line.startsWith('|'));
  return rest.slice(0, end === -1 ? undefined : end).map(cellsOf);
}

/** The files below a folder of the root whose path the filter admits, by their paths from the root, in order. */
export async function filesBelow(folder: string, admits: (path: string) => boolean): Promise<readonly string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  const found = await Promise.all(
    entries
      .filter(({ name }) => name !== 'node_modules' && name !== 'dist' && !name.startsWith('.'))
      .map(async (entry) => {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) return filesBelow(path, admits);
        return admits(path) ? [path] : [];
      }),
  );
  return found.flat().sort();
}
