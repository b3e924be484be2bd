import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon, DaemonTool, ToolResult, Tools } from '../frame/tool.js';
import { getopt } from './getopt.js';
import { AoeSegment, macDigits, type SegmentExport } from './segment.js';
import { surroundingTools } from './surrounding-tools.js';

export interface VbladeOptions {
  readonly segment?: AoeSegment;
  /** The machine's network interfaces; `eth1`, which is up, unless told. */
  readonly interfaces?: Readonly<Record<string, 'up' | 'down'>>;
  readonly hostname?: string;
}

const usage = 'usage: vblade [-b bufcnt] [-o offset] [-l length] [-d ] [-s] [-r] [ -m mac[,mac...] ] shelf slot netif filename\n';
const sectorBytes = 512;
const serialLength = 20;

/** What one vblade was told. */
interface Told {
  readonly readOnly: boolean;
  readonly offset: number;
  readonly length: number | undefined;
  readonly masks: readonly string[];
  /** What it says of its masks before anything else. */
  readonly ignored: readonly string[];
  readonly words: readonly [string, string, string, string];
}

/** vblade 25 on one machine, with the other tools that its exporter runs there. */
export class VbladeStandIn {
  readonly segment: AoeSegment;
  readonly interfaces: Record<string, 'up' | 'down'>;
  readonly daemons: Readonly<Record<string, DaemonTool>>;
  readonly tools: Tools;
  readonly #hostname: string;
  readonly #running = new Map<number, readonly string[]>();

  constructor({ segment = new AoeSegment(), interfaces = { eth1: 'up' }, hostname = 'vs1' }: VbladeOptions = {}) {
    this.segment = segment;
    this.interfaces = { ...interfaces };
    this.#hostname = hostname;
    this.daemons = { vblade: ({ args, root, pid }) => this.#start(args, root, pid) };
    this.tools = {
      vblade: ({ args }) => {
        const told = parse(args);
        return 'exitCode' in told ? told : { exitCode: 1, stderr: 'stand-in: vblade stays in the foreground: start it as a daemon\n' };
      },
      ...surroundingTools(this.interfaces, () => this.#running),
    };
  }

  /** A vblade of somebody else, whom VBS did not start; answers how it ends. */
  foreign(root: string, pid: number, args: readonly string[]): () => void {
    const { stop } = this.#start(args, root, pid);
    return () => void stop();
  }

  #start(args: readonly string[], root: string, pid: number): Daemon {
    const told = parse(args);
    if ('exitCode' in told) throw told;
    const [shelf, slot, netif, path] = told.words;
    const sectors = sectorsOf(join(root, path), told);
    const state = this.interfaces[netif];
    if (state === undefined) throw { exitCode: 1, stderr: `${netif}: No such device\n` };
    const address = { shelf: Number.parseInt(shelf, 10) || 0, slot: Number.parseInt(slot, 10) || 0 };
    const mode = told.readOnly ? 'O_RDONLY' : 'O_RDWR';
    const lines = [...told.ignored, `pid ${pid}: e${address.shelf}.${address.slot}, ${sectors} sectors ${mode}`];
    if (state === 'down') {
      // It ends behind its ready line: there is no process that could tell of itself.
      return { lines: [...lines, 'putpkt aoe id: Network is down', 'read network: Network is down'], stop: () => undefined };
    }
    const shown: SegmentExport = {
      ...address,
      path,
      file: join(root, path),
      readOnly: told.readOnly,
      sectors,
      masks: told.masks,
      netif,
      serial: `${address.shelf}.${address.slot}:${this.#hostname}`.slice(0, serialLength),
      pid,
    };
    const ownFolder = join(root, 'proc', String(pid));
    mkdirSync(join(ownFolder, 'fd'), { recursive: true });
    writeFileSync(join(ownFolder, 'cmdline'), ['vblade', ...args, ''].join('\0'));
    writeFileSync(join(ownFolder, 'fd', '1'), lines.map((line) => `${line}\n`).join(''));
    this.#running.set(pid, args);
    const withdraw = this.segment.announce(shown);
    return {
      lines,
      stop: () => {
        withdraw();
        this.#running.delete(pid);
        rmSync(ownFolder, { recursive: true, force: true });
      },
    };
  }
}

function parse(args: readonly string[]): Told | (ToolResult & { readonly exitCode: number }) {
  const wrong = (stderr = ''): ToolResult & { readonly exitCode: number } => ({ exitCode: 1, stderr: `${stderr}${usage}` });
  const parsed = getopt('vblade', 'b:dsrm:o:l:', args);
  if (typeof parsed === 'string') return wrong(`${parsed}\n`);
  const { options, words } = parsed;
  const last = (letter: string): string | undefined => options.filter(([one]) => one === letter).at(-1)?.[1];
  // A count of 0 is what strtol makes of letters too.
  for (const letter of ['b', 'l']) if (last(letter) !== undefined && !(Number.parseInt(last(letter) ?? '', 10) > 0)) return wrong();
  const [shelf, slot, netif, path, ...more] = words;
  if (path === undefined || netif === undefined || slot === undefined || shelf === undefined || more.length > 0) return wrong();
  const length = last('l');
  const masks = options.filter(([letter]) => letter === 'm').flatMap(([, list]) => list.split(','));
  // A digit that is none counts as 0 (trap): only what is too short is told of.
  const isMask = (mask: string): boolean => macDigits(mask).length === 12;
  return {
    readOnly: last('r') !== undefined,
    offset: Number.parseInt(last('o') ?? '0', 10),
    length: length === undefined ? undefined : Number.parseInt(length, 10),
    masks: masks.filter(isMask).map((mask) => macDigits(mask).replace(/[0-9a-f]?[^0-9a-f]/g, '00')),
    ignored: masks.filter((mask) => !isMask(mask)).map((mask) => `ignoring mask ${mask}, parseether failure`),
    words: [shelf, slot, netif, path],
  };
}

/** Throws how vblade ends where there is not so much. */
function sectorsOf(file: string, { offset, length }: Told): number {
  const fail = (stderr: string): ToolResult => ({ exitCode: 1, stderr: `${stderr}\n` });
  if (!existsSync(file)) throw fail('open: No such file or directory');
  const found = statSync(file);
  if (found.isDirectory()) throw fail('open: Is a directory');
  const sectors = Math.floor(found.size / sectorBytes);
  if (sectors === 0) throw fail('0-sector file size is too small');
  if (offset >= sectors) throw fail(`Offset ${offset} too large for ${sectors}-sector export`);
  // It prints the offset, where it means the length.
  if (length !== undefined && length > sectors - offset) throw fail(`Length ${offset} too big - exceeds size of file!`);
  return length ?? sectors - offset;
}
