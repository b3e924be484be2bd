/**
 * Preloaded into ava's process: its TAP reporter dumps an error with the first frame of its stack, and js-yaml throws where there is
 * none, as of node:fs's `rm`; with that all of ava ends. What cannot be dumped is left out instead.
 */
import { createRequire } from 'node:module';

const supertap = import.meta.resolve('supertap');
const yaml = createRequire(supertap)('js-yaml');
const { safeDump } = yaml;
yaml.safeDump = (value, options) => safeDump(value, { ...options, skipInvalid: true });
