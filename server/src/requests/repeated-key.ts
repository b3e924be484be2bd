const token = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g;

/**
 * The first key that an object has twice, of which `JSON.parse` takes the last and others the first; undefined where there is none.
 * The text must be a legal JSON object. Those within it are not looked at: no request has any.
 */
export function repeatedKey(text: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  let last = '""';
  for (const [found] of text.matchAll(token)) {
    if (found === '{' || found === '[') depth++;
    else if (found === '}' || found === ']') depth--;
    else if (found !== ':') last = found;
    else if (depth === 1) {
      const key = String(JSON.parse(last));
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}
