import { type FileHandle, open } from 'node:fs/promises';
import type { Tool } from '../frame/tool.js';
import { lastOf, parseOptions, ToolExit } from './options.js';
import type { LvmWorld } from './world.js';

const operands = ['if', 'of', 'bs', 'skip', 'seek', 'count', 'iflag', 'oflag', 'conv'];
const flags = ['direct', 'fullblock', 'notrunc', 'nocreat', 'fsync'];
const sector = 512;

/** dd(1), as far as volumes are copied with it. */
export function ddTool(world: LvmWorld): Tool {
  return async ({ args }) => {
    const given = parseOperands(args);
    const list = (name: string): readonly string[] => given.get(name)?.split(',') ?? [];
    const strange = [...list('iflag'), ...list('oflag'), ...list('conv')].find((flag) => !flags.includes(flag));
    if (strange !== undefined) throw usage(`dd: invalid conversion or flag: '${strange}'`);
    const number = (name: string, unless: number): number => {
      const text = given.get(name) ?? String(unless);
      if (!/^[0-9]+$/.test(text)) throw usage(`dd: invalid number: '${text}'`);
      return Number(text);
    };
    const [block, skip, seek, count] = [number('bs', sector), number('skip', 0), number('seek', 0), number('count', 0)];
    const [from, to] = [given.get('if') ?? '', given.get('of') ?? ''];
    if (block % sector !== 0) throw usage(`dd: error reading '${from}': Invalid argument`);
    if (!list('conv').includes('notrunc')) throw new TypeError('dd without notrunc truncates what it writes to');
    const source = from === '/dev/zero' ? undefined : await device(world, from, 'r');
    try {
      const target = await device(world, to, 'r+');
      try {
        const moved = await move(source, target, { to, block, skip, seek, count });
        return { stderr: `${moved}+0 records in\n${moved}+0 records out\n${moved * block} bytes copied, 0.01 s, 1 GB/s\n` };
      } finally {
        await target.close();
      }
    } finally {
      await source?.close();
    }
  };
}

/** blkdiscard(8): what it was given reads anything afterwards, here zeros. */
export function blkdiscardTool(world: LvmWorld): Tool {
  return async ({ args }) => {
    const options = { offset: { letter: 'o', value: true }, length: { letter: 'l', value: true }, force: { letter: 'f' } } as const;
    const parsed = parseOptions('blkdiscard', args, options, usage);
    const [path = ''] = parsed.words;
    if (world.open.has(world.lvOfPath(path)?.name ?? '') && lastOf(parsed, 'force') === undefined) {
      throw usage(`blkdiscard: cannot open ${path}: Device or resource busy`);
    }
    const [offset, length] = [Number(lastOf(parsed, 'offset') ?? 0), Number(lastOf(parsed, 'length') ?? 0)];
    if (offset % sector !== 0 || length % sector !== 0 || length === 0) throw usage(`blkdiscard: ${path}: offset is not aligned`);
    const target = await device(world, path, 'r+', (at) => `blkdiscard: cannot open ${at}`);
    try {
      await target.write(Buffer.alloc(length), 0, length, offset);
    } finally {
      await target.close();
    }
    return {};
  };
}

interface Blocks {
  readonly to: string;
  readonly block: number;
  readonly skip: number;
  readonly seek: number;
  readonly count: number;
}

/** Answers how many blocks were there to be moved. */
async function move(source: FileHandle | undefined, target: FileHandle, { to, block, skip, seek, count }: Blocks): Promise<number> {
  const { size } = await target.stat();
  for (let at = 0; at < count; at++) {
    if ((seek + at + 1) * block > size)
      throw usage(`dd: error writing '${to}': No space left on device`, `${at + 1}+0 records in`, `${at}+0 records out`);
    const bytes = Buffer.alloc(block);
    const { bytesRead } = source === undefined ? { bytesRead: block } : await source.read(bytes, 0, block, (skip + at) * block);
    if (bytesRead < block) return at;
    await target.write(bytes, 0, block, (seek + at) * block);
  }
  return count;
}

async function device(
  world: LvmWorld,
  path: string,
  mode: 'r' | 'r+',
  what = (at: string): string => `dd: failed to open '${at}'`,
): Promise<FileHandle> {
  const lv = world.lvOfPath(path);
  if (lv === undefined || !lv.active) throw usage(`${what(path)}: No such file or directory`);
  if (lv.invalid) throw usage(`dd: error reading '${path}': Input/output error`);
  return await open(world.dataFile(lv.name), mode);
}

function parseOperands(args: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    args.map((word) => {
      const at = word.indexOf('=');
      const name = word.slice(0, Math.max(at, 0));
      if (!operands.includes(name)) throw usage(`dd: unrecognized operand '${word}'`, "Try 'dd --help' for more information.");
      return [name, word.slice(at + 1)] as const;
    }),
  );
}

function usage(...lines: readonly string[]): ToolExit {
  return new ToolExit({ exitCode: 1, stderr: lines.map((line) => `${line}\n`).join('') });
}
