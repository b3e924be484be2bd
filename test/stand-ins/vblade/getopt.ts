/** The options and words of a command line as getopt(3) of glibc reads them, which takes options behind words too. */
export interface ParsedLine {
  readonly options: readonly (readonly [letter: string, value: string])[];
  readonly words: readonly string[];
}

/** Answers what getopt says of the first fault. `letters` is as for getopt(3): `b:ds`. */
export function getopt(tool: string, letters: string, args: readonly string[]): ParsedLine | string {
  const options: [string, string][] = [];
  const words: string[] = [];
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') return { options, words: [...words, ...rest] };
    if (!word.startsWith('-') || word === '-') {
      words.push(word);
      continue;
    }
    for (let cluster = word.slice(1); cluster !== ''; ) {
      const letter = cluster.charAt(0);
      cluster = cluster.slice(1);
      const at = letter === ':' ? -1 : letters.indexOf(letter);
      if (at < 0) return `${tool}: invalid option -- '${letter}'`;
      if (letters.charAt(at + 1) !== ':') {
        options.push([letter, '']);
        continue;
      }
      const value = cluster === '' ? rest.shift() : cluster;
      if (value === undefined) return `${tool}: option requires an argument -- '${letter}'`;
      options.push([letter, value]);
      cluster = '';
    }
  }
  return { options, words };
}
