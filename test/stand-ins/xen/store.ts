import type { Tool, ToolResult } from '../frame/tool.js';

export const backendPath = (kind: string, domid: number, number: number): string => `/local/domain/0/backend/${kind}/${domid}/${number}`;
export const frontendPath = (domid: number, number: number): string => `/local/domain/${domid}/device/vbd/${number}`;
export const backends = ['vbd', 'qdisk'] as const;

interface Node {
  value: string;
  readonly children: Map<string, Node>;
}

const newNode = (): Node => ({ value: '', children: new Map() });
/** Of a line, unless whole paths are asked for. */
const width = 80;
const tagLength = ' = "..."'.length;

/** Xenstore as xenstored 4.17 keeps it. */
export class StandInStore {
  readonly #root = newNode();

  write(path: string, values: Readonly<Record<string, string>> | string): void {
    if (typeof values === 'string') this.#make(path).value = values;
    else for (const [key, value] of Object.entries(values)) this.#make(`${path}/${key}`).value = value;
  }

  read(path: string): string | undefined {
    return this.#find(path)?.value;
  }

  /** The names below a path, sorted; undefined where there is no such path. */
  names(path: string): readonly string[] | undefined {
    const node = this.#find(path);
    return node === undefined ? undefined : [...node.children.keys()].sort();
  }

  remove(path: string): void {
    const names = path.split('/').slice(1);
    const last = names.pop() ?? '';
    this.#find(`/${names.join('/')}`)?.children.delete(last);
  }

  /** As `xenstore-ls` prints it, with `-f` or without. */
  list(path: string, whole: boolean): string | undefined {
    const lines: string[] = [];
    const below = (at: string, depth: number): void => {
      for (const name of this.names(at) ?? []) {
        const full = `${at === '/' ? '' : at}/${name}`;
        const value = sanitised(this.read(full) ?? '');
        const left = whole ? full : ' '.repeat(depth) + name;
        const cut = !whole && width < left.length + Buffer.byteLength(this.read(full) ?? '') + tagLength;
        lines.push(cut ? `${left} = "${value.slice(0, width - tagLength - left.length)}\\..."` : `${left} = "${value}"`);
        below(full, depth + 1);
      }
    };
    if (this.names(path) === undefined) return undefined;
    below(path, 0);
    return lines.map((line) => `${line}\n`).join('');
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#root;
    for (const name of path.split('/').filter((part) => part !== '')) node = node?.children.get(name);
    return node;
  }

  #make(path: string): Node {
    let node = this.#root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      const next = node.children.get(name) ?? newNode();
      node.children.set(name, next);
      node = next;
    }
    return node;
  }
}

/** In C's way, byte by byte; quotes stay as they are. */
function sanitised(value: string): string {
  return [...Buffer.from(value)]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      if (char === '\\') return '\\\\';
      const letter = { '\n': 'n', '\r': 'r', '\t': 't' }[char];
      if (letter !== undefined) return `\\${letter}`;
      if (byte >= 0x20 && byte < 0x7f) return char;
      return byte < 8 ? `\\${byte.toString(8).padStart(3, '0')}` : `\\x${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}

/** xenstore-ls 4.17. `fault` is why it reaches no xenstored: an errno's text. */
export function xenstoreLs(store: StandInStore, fault: () => string | undefined): Tool {
  return ({ args }): ToolResult => {
    const failed = (text: string): ToolResult => ({ exitCode: 1, stderr: `xenstore-ls: ${text}\n` });
    const options = args.filter((word) => word.startsWith('-'));
    const [path = '/', ...more] = args.filter((word) => !word.startsWith('-'));
    if (more.length > 0 || options.some((word) => !['-f', '-s'].includes(word))) {
      return failed('Usage: xenstore-ls [-h] [-f] [-p] [-s] [path]');
    }
    const why = fault();
    if (why !== undefined) return failed(`xs_open: ${why}`);
    const stdout = store.list(path, options.includes('-f'));
    return stdout === undefined ? failed(`xs_directory (${path}): No such file or directory`) : { stdout };
  };
}
