/**
 * Preloaded into ava's process, whose TAP reporter throws, and so ends all of ava, where a failure's error has no stack frame, as of node:fs's
 * `rm`, and where tests hang until ava's time limit.
 */
import { createRequire } from 'node:module';

// An undefined first frame cannot be dumped: what cannot is left out.
const yaml = createRequire(import.meta.resolve('supertap'))('js-yaml');
const { safeDump } = yaml;
yaml.safeDump = (value, options) => safeDump(value, { ...options, skipInvalid: true });

// What it says of a test that hangs is a bare Error, which it takes for one that came from a worker.
const { default: TapReporter } = await import(new URL('../lib/reporters/tap.js', import.meta.resolve('ava')).href);
const { writeTest } = TapReporter.prototype;
TapReporter.prototype.writeTest = function (event, flags) {
  const { err } = event;
  const isBare = err instanceof Error && !('originalError' in err);
  return writeTest.call(
    this,
    isBare ? { ...event, err: { type: 'native', name: err.name, stack: err.stack, originalError: err } } : event,
    flags,
  );
};
