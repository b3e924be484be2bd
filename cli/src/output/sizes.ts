const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Bytes for people: `64 MiB`, `1.5 GiB`; never rounded up to the next unit. */
export function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Math.floor(value * 10) / 10} ${units[unit]}`;
}

/** How much of a whole, in percent. */
export function percent(done: number, total: number): string {
  return total === 0 ? '0%' : `${Math.floor((100 * done) / total)}%`;
}

/** A time without its fraction. */
export function humanTime(at: string): string {
  return at.replace('T', ' ').replace(/\.\d+Z$/, 'Z');
}
