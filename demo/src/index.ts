#!/usr/bin/env node
import { runDemo } from './run-demo.js';

const interrupted = 130;
const controller = new AbortController();
const interrupt = () => controller.abort();
// A second signal finds no handler any more, and ends the process at once.
process.once('SIGINT', interrupt);
process.once('SIGTERM', interrupt);
// Whoever read the output has gone (`| head`): there is nobody to show anything to.
let unheard = false;
process.stdout.on('error', () => {
  unheard = true;
  controller.abort();
});

const pretty = process.stdout.isTTY === true && process.stdout.hasColors();
const succeeded = await runDemo({ out: process.stdout, pretty, signal: controller.signal });
process.off('SIGINT', interrupt);
process.off('SIGTERM', interrupt);
if (!succeeded || unheard) process.exitCode = controller.signal.aborted && !unheard ? interrupted : 1;
