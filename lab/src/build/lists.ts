/** The entries of a list file: words, with comments from `#` to the end of the line. */
export function parseList(text: string): readonly string[] {
  return text.split('\n').flatMap((line) => line.replace(/#.*/, '').split(/\s+/).filter(Boolean));
}

/** Whether a name is in a list whose entries may hold `*`. */
export function isListed(name: string, list: readonly string[]): boolean {
  return list.some((entry) => {
    const pattern = entry.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${pattern.join('.*')}$`).test(name);
  });
}
