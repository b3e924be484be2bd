import type { CommandSpec } from '../command-spec.js';

export const demoCommand: CommandSpec = {
  name: 'demo',
  group: 'Other',
  summary: 'Show what VBS does, with real bytes, in a temporary folder',
  description: [
    'Runs Figures 2 and 3 of the Virtual Block Store paper on files, NBD on 127.0.0.1 and two sandbox VMs, compares what the VMs read, and leaves nothing behind.',
  ],
  examples: [{ line: 'vbs demo', text: 'Takes a few seconds.' }],
  seeAlso: ['serve'],
  run: async (_, context) => {
    const { runDemo } = await import('@vbs/demo');
    const pretty = process.stdout.isTTY === true && process.stdout.hasColors();
    const succeeded = await runDemo({ out: process.stdout, pretty, signal: context.signal });
    context.signal.throwIfAborted();
    return succeeded ? 0 : 1;
  },
};
