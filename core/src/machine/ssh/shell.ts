/** A text for the shell of another machine, as it stands; `$\\{` is `${`, which TypeScript would take for itself. */
export function shell({ raw }: TemplateStringsArray): string {
  return raw.join('').replaceAll('$\\{', '$' + '{');
}

/** One word of a POSIX shell, whatever it holds but a NUL, which no shell can. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
