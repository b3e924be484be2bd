import { parseArgs } from 'node:util';
import type { AoeAddress } from './address.js';

/** What one vblade was told to export, as its command line says it. */
export interface Blade extends AoeAddress {
  readonly interface: string;
  readonly path: string;
  readonly readOnly: boolean;
  /** Of 512 bytes; undefined where vblade takes all that the path has. */
  readonly sectors: number | undefined;
  /** Who is answered, each 12 lower-case hex digits, sorted; empty: everybody. */
  readonly masks: readonly string[];
}

export const sectorBytes = 512;

const options = {
  buffers: { type: 'string', short: 'b' },
  direct: { type: 'boolean', short: 'd' },
  sync: { type: 'boolean', short: 's' },
  readOnly: { type: 'boolean', short: 'r' },
  masks: { type: 'string', short: 'm' },
  offset: { type: 'string', short: 'o' },
  length: { type: 'string', short: 'l' },
} as const;

/** What the words of a process's command line export; undefined where they are not vblade's. What stands before `vblade` is passed over. */
export function parseBlade(words: readonly string[]): Blade | undefined {
  const at = words.findIndex((word) => /(^|\/)vblade$/.test(word));
  const parsed = at < 0 ? undefined : parseWords(words.slice(at + 1));
  if (parsed === undefined) return undefined;
  const [shelf, slot, netif, ...path] = parsed.positionals;
  const address = { shelf: Number(shelf), slot: Number(slot) };
  if (netif === undefined || path.length === 0 || !Number.isInteger(address.shelf) || !Number.isInteger(address.slot)) return undefined;
  const { readOnly = false, length, masks } = parsed.values;
  return {
    ...address,
    interface: netif,
    path: path.join(' '),
    readOnly,
    sectors: length === undefined ? undefined : Number(length),
    masks: masks === undefined ? [] : masks.split(',').map(macDigits).sort(),
  };
}

/** The words of `/proc/<pid>/cmdline`. */
export function wordsOf(commandLine: string): readonly string[] {
  return commandLine.split('\0').slice(0, -1);
}

/** An Ethernet address as 12 lower-case hex digits. */
export function macDigits(mac: string): string {
  return mac.replaceAll(':', '').toLowerCase();
}

function parseWords(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true, strict: true });
  } catch (error) {
    // An option that vblade has not: the process is another program of this name.
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

export interface OtherBlade extends Blade {
  readonly pid: number;
}

/** Every vblade in the output of `ps -o pid=,args=`; one that is just starting or ending tells nothing. */
export function parseProcessList(output: string): readonly OtherBlade[] {
  return output.split('\n').flatMap((line) => {
    const [pid, ...words] = line.trim().split(' ');
    const blade = parseBlade(words);
    return blade === undefined ? [] : [{ ...blade, pid: Number(pid) }];
  });
}
