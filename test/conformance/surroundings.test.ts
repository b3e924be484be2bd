import { cloudResolverConformance } from '@vbs/conformance';
import { createSandbox } from '@vbs/plugin-sandbox';
import test from 'ava';
import { runKit } from './run-kit.js';

test('surroundings › atEnd may be handed on by itself, and what it is given is done once for each test, last first', async (t) => {
  const done: string[] = [];
  let begun = 0;
  const { failed, passed } = await runKit((collect) =>
    cloudResolverConformance(collect, createSandbox().plugin, {
      config: (_directory, { atEnd }) => {
        const test = ++begun;
        for (const part of ['first', 'second']) atEnd(async () => void done.push(`${test} ${part}`));
        return { instances: { 'i-1': { vmmHost: 'sandbox', vmId: 'vm1' } } };
      },
      running: [{ instanceId: 'i-1', vmmHost: 'sandbox', vmId: 'vm1' }],
      unknown: 'i-none',
      terminated: null,
      notPlaced: null,
    }),
  );
  t.deepEqual([...failed], []);
  t.is(begun, passed.length);
  const byTest = Array.from({ length: begun }, (_unused, index) => done.filter((line) => line.startsWith(`${index + 1} `)));
  for (const [index, lines] of byTest.entries()) t.deepEqual(lines, [`${index + 1} second`, `${index + 1} first`]);
});
