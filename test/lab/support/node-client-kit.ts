import type { Test } from '@vbs/conformance';
import test from 'ava';

const whole = 'VBS_LAB_KIT';

/**
 * Tests one after the other: those whose title holds one of these texts, and all where VBS_LAB_KIT is whole. An export takes five to
 * ten seconds in a guest, and a kit makes a hundred.
 */
export function chosen(promises: readonly string[]): Test {
  return (title, body) => {
    if (process.env[whole] === 'whole' || promises.some((promise) => title.includes(promise))) test.serial(title, body);
    else test.skip(`${title} (skipped: takes too long in a guest; ${whole}=whole runs it)`, body);
  };
}
