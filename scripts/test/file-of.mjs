const separator = ' › ';

/**
 * The file that a test is in, from its title among several files (`core › model › size › the title`), and its title in that file
 * alone; undefined when there is none. Of several, the longest name counts.
 */
export function fileOf(title, exists) {
  const words = title.split(separator);
  for (let length = words.length - 1; length > 0; length--) {
    const file = `test/dist/${words.slice(0, length).join('/')}.test.js`;
    if (exists(file)) return { file, bare: words.slice(length).join(separator) };
  }
  return undefined;
}
