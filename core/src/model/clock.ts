/** Wall-clock time, for what people read; leases go by the database's clock. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
}
