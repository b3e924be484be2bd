import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { recordTemplate } from './record-template.js';

export interface NodeRecord {
  readonly path: string;
  readonly iqn: string;
  readonly address: string;
  readonly port: number;
  readonly values: ReadonlyMap<string, string>;
}

export interface RecordFilter {
  readonly iqn?: string;
  readonly address?: string;
  readonly port?: number;
}

/**
 * open-iscsi's node records as files. A static record is a file `address,port`, a discovered one `address,port,group/default`. Every file
 * in a target's folder counts, whatever it is called; one without its last line is passed over, and is in the way of a new one.
 */
export class NodeDatabase {
  readonly folder: string;
  /** What the next walks over all records meet: another record goes before, or behind, what the command is about. */
  vanishing: ('before' | 'behind')[] = [];

  constructor(root: string) {
    this.folder = join(root, 'etc/iscsi/nodes');
  }

  find(filter: RecordFilter): NodeRecord[] {
    return this.#files(filter.iqn)
      .flatMap((path) => readRecord(path) ?? [])
      .filter(
        ({ iqn, address, port }) =>
          (filter.iqn ?? iqn) === iqn && (filter.address ?? address) === address && (filter.port ?? port) === port,
      );
  }

  /** False where a torn record is in the way. */
  create(iqn: string, address: string, port: number): boolean {
    const path = join(this.folder, iqn, `${address},${port}`);
    if (existsSync(path) && readRecord(path) === undefined) return false;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const text = recordTemplate.replaceAll('<iqn>', iqn).replaceAll('<address>', address).replaceAll('<port>', String(port));
    writeFileSync(path, text, { mode: 0o600 });
    return true;
  }

  discover(iqn: string, address: string, port: number): void {
    const path = join(this.folder, iqn, `${address},${port},1`, 'default');
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const text = recordTemplate.replaceAll('<iqn>', iqn).replaceAll('<address>', address).replaceAll('<port>', String(port));
    writeFileSync(path, text.replace('node.tpgt = -1', 'node.tpgt = 1'), { mode: 0o600 });
  }

  update({ path }: NodeRecord, key: string, value: string): void {
    const lines = readFileSync(path, 'utf8').split('\n');
    const kept = lines.filter((line) => !line.startsWith(`${key} = `));
    const end = kept.indexOf('# END RECORD');
    kept.splice(end, 0, `${key} = ${value}`);
    writeFileSync(path, kept.join('\n'));
  }

  delete({ path }: NodeRecord): void {
    unlinkSync(path);
    for (let folder = dirname(path); folder !== this.folder && readdirSync(folder).length === 0; folder = dirname(folder))
      rmdirSync(folder);
  }

  #files(iqn: string | undefined): string[] {
    if (!existsSync(this.folder)) return [];
    const targets = iqn === undefined ? readdirSync(this.folder) : existsSync(join(this.folder, iqn)) ? [iqn] : [];
    const paths = targets.flatMap((target) => readdirSync(join(this.folder, target)).map((name) => join(this.folder, target, name)));
    return paths.flatMap((path) => (statSync(path).isDirectory() ? readdirSync(path).map((name) => join(path, name)) : [path]));
  }
}

function readRecord(path: string): NodeRecord | undefined {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  if (!lines[0]?.startsWith('# BEGIN RECORD') || lines.at(-1) !== '# END RECORD') return undefined;
  const values = new Map(lines.slice(1, -1).map((line) => [line.split(' = ', 1)[0] ?? '', line.slice(line.indexOf(' = ') + 3)]));
  return {
    path,
    iqn: values.get('node.name') ?? '',
    address: values.get('node.conn[0].address') ?? '',
    port: Number(values.get('node.conn[0].port')),
    values,
  };
}
