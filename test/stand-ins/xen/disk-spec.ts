/** A disk as xl understood it. */
export interface DiskSpec {
  readonly target: string;
  readonly vdev: string;
  readonly mode: 'r' | 'w';
}

const accesses: Readonly<Record<string, 'r' | 'w'>> = { r: 'r', ro: 'r', w: 'w', rw: 'w' };
const formats = ['raw', 'qcow', 'qcow2', 'vhd', 'qed', ''];

/**
 * xl's disk specification (xl-disk-configuration(5)): the words are joined by commas. With an old prefix it is target, vdev, access; without,
 * target, format, vdev, access. `target=` takes all that follows.
 * @throws a text, as xl tells it.
 */
export function parseDiskSpec(words: readonly string[]): DiskSpec {
  const text = words.join(',');
  const old = /^(phy|file):(.*)$/s.exec(text);
  const fields = text.startsWith('target=') ? [text] : (old?.[2] ?? text).split(',');
  const [target = '', ...rest] = fields;
  const [format, vdev, access, ...more] = old === null ? rest : ['raw', ...rest];
  if (format !== undefined && !formats.includes(format)) throw `unknown value for format: near \`${format}' in \`${format}'`;
  if (vdev === undefined || vdev === '') throw `no vdev specified in \`${text}'`;
  const mode = accesses[access ?? 'rw'];
  if (mode === undefined) throw `unknown value for access: near \`${access}' in \`${access}'`;
  const [extra] = more.filter((word) => !/^[a-z-]+=/.test(word));
  if (extra !== undefined) throw `too many positional parameters: near \`${extra}' in \`${extra}'`;
  return { target, vdev, mode };
}
