#!/usr/bin/env node
import { runProgram } from '../dist/daemon/program.js';

// The end of whoever read its output is no reason for a server to end.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
process.exit(await runProgram(process.argv.slice(2)));
