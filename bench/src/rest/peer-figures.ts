/**
 * What Cinder 21.3 took with its fake driver, which touches no storage, and SQLite, on a machine of the same kind as the one in
 * docs/performance.md, one run: figures to compare with, not measured again here.
 */
export const cinder = {
  name: 'Cinder 21.3',
  /** From the request until the volume is available; the median. */
  createMs: 363,
  attachMs: 282,
  getOneMs: 9.6,
  list1000Ms: 528,
  /** With 8 clients: the least and the most that were seen. */
  createsPerSecond: [2, 3.7],
  memoryMB: 206,
} as const;
