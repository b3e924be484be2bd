/** A number with three digits that mean something, without an exponent: 0.0123, 4.57, 1,240. */
export function sayNumber(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}
