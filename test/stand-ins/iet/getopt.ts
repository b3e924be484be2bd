/** What ietadm was given, as getopt_long reads it with its short form `o:t:s:c:l:p:uvh`. */
export interface Options {
  readonly op?: string;
  readonly tid?: string;
  readonly sid?: string;
  readonly cid?: string;
  readonly lun?: string;
  readonly params?: string;
  readonly user?: true;
  readonly version?: true;
  readonly help?: true;
}

const long = ['op', 'tid', 'sid', 'cid', 'lun', 'params', 'user', 'version', 'help'] as const;
type Name = (typeof long)[number];
const short: Readonly<Record<string, Name>> = {
  o: 'op',
  t: 'tid',
  s: 'sid',
  c: 'cid',
  l: 'lun',
  p: 'params',
  u: 'user',
  v: 'version',
  h: 'help',
};
const flags: readonly Name[] = ['user', 'version', 'help'];

/** The options, or what ietadm has to say of one that it does not know and of words that are no option. */
export function readOptions(args: readonly string[]): { readonly options: Options } | { readonly refused: string } {
  const options: Partial<Record<Name, string | true>> = {};
  const extra: string[] = [];
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      extra.push(...rest.splice(0));
    } else if (word.startsWith('--')) {
      const [given = '', ...values] = word.slice(2).split('=');
      const found = long.filter((name) => name === given);
      const [name, other] = found.length > 0 ? found : long.filter((one) => one.startsWith(given));
      if (name === undefined || other !== undefined) return { refused: `ietadm: unrecognized option '--${given}'\n` };
      if (flags.includes(name)) {
        if (values.length > 0) return { refused: `ietadm: option '--${name}' doesn't allow an argument\n` };
        options[name] = true;
        continue;
      }
      const value = values.length > 0 ? values.join('=') : rest.shift();
      if (value === undefined) return { refused: `ietadm: option '--${name}' requires an argument\n` };
      options[name] = value;
    } else if (word.startsWith('-') && word !== '-') {
      for (let at = 1; at < word.length; at++) {
        const letter = word[at] ?? '';
        const name = short[letter];
        if (name === undefined) return { refused: `ietadm: invalid option -- '${letter}'\n` };
        if (flags.includes(name)) {
          options[name] = true;
          continue;
        }
        const value = at + 1 < word.length ? word.slice(at + 1) : rest.shift();
        if (value === undefined) return { refused: `ietadm: option requires an argument -- '${letter}'\n` };
        options[name] = value;
        break;
      }
    } else {
      extra.push(word);
    }
  }
  if (extra.length > 0) return { refused: `unrecognized: ${extra.join(' ')}\n` };
  return { options: options as Options };
}
