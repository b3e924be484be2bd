import { VbsError } from '@vbs/core';

/** Xenstore's nodes with their values, by path. */
export type Store = ReadonlyMap<string, string>;

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/**
 * The output of `xenstore-ls -f`, a line `/path = "value"` for each node. Without `-f` the tool cuts what is wider than 80 columns, as
 * the paths of iSCSI disks are.
 *
 * @throws INTERNAL: it is not such an output, or a value was cut.
 */
export function parseStore(text: string): Store {
  const store = new Map<string, string>();
  for (const line of text.split('\n')) {
    // `/path:`, without a value, is a node that has gone while the tool listed.
    if (line === '' || /^\/\S*:$/.test(line)) continue;
    const [, path, value] = /^(\/\S*) = "(.*)"$/.exec(line) ?? [];
    if (path === undefined || value === undefined || value.endsWith('\\...')) {
      const advice = 'its command must be "xenstore-ls -f /local/domain", with -f';
      throw new VbsError('INTERNAL', `A line of xenstore-ls is cut, or is none of its lines (${advice}): ${line.slice(0, 100)}`);
    }
    store.set(path, unescaped(value));
  }
  return store;
}

/** Values are bytes: what is no printable ASCII is told in C's way, UTF-8 a byte at a time. */
function unescaped(value: string): string {
  if (!value.includes('\\')) return value;
  const parts = [...value.matchAll(/\\x([\dA-Fa-f]{2})|\\([0-7]{3})|\\(.)|([^\\]+)/gs)];
  return Buffer.concat(
    parts.map(([, hex, octal, letter, plain]) => {
      if (hex !== undefined) return Buffer.from([Number.parseInt(hex, 16)]);
      if (octal !== undefined) return Buffer.from([Number.parseInt(octal, 8) & 0xff]);
      return Buffer.from(plain ?? escapes[letter ?? ''] ?? letter ?? '');
    }),
  ).toString('utf8');
}
