import { initiatorConformance } from '@vbs/conformance';
import test from 'ava';
import { breakPlugin, type Defect } from './break-plugin.js';
import { createMemoryInitiator } from './memory-initiator.js';
import type { MemoryNode } from './memory-node.js';
import { ofSameMethods, runKit } from './run-kit.js';

export type MakeDefect = (nodeOf: (instance: string) => MemoryNode) => Defect<'initiator'>;

/** Runs the kit on an initiator in memory with a defect. */
export function runWith(makeDefect: MakeDefect, wanted?: (title: string) => boolean) {
  const { plugin, setup, nodeOf } = createMemoryInitiator();
  const broken = breakPlugin(plugin, 'initiator', makeDefect(nodeOf));
  return runKit(
    (collect) =>
      initiatorConformance(collect, broken, { ...setup, sizeBytes: 128 * 1024, settleLimitMs: 2_000, timeLimitMs: 20_000, atOnce: 4 }),
    wanted,
  );
}

/** An initiator with the defect fails exactly these of the tests of their methods. */
export const caught = test.macro({
  title: (told, ...[titles]: readonly [readonly string[], MakeDefect]) => `initiatorConformance › ${told}: caught by ${titles[0]}`,
  exec: async (t, titles: readonly string[], makeDefect: MakeDefect) => {
    t.timeout(120_000);
    const { failed } = await runWith(makeDefect, ofSameMethods('initiator', titles));
    t.deepEqual([...failed.keys()].sort(), titles.map((title) => `initiator › ${title}`).sort());
  },
});
