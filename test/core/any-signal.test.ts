import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { anySignal } from '@vbs/core';
import test from 'ava';
import { newStore } from '../support/store.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('anySignal › aborts with the first of its signals, for its reason', (t) => {
  const [one, other] = [new AbortController(), new AbortController()];
  const signal = anySignal(one.signal, undefined, other.signal);
  t.false(signal.aborted);
  other.abort('other');
  t.is(signal.reason, 'other');
  one.abort('one');
  t.is(signal.reason, 'other');
  t.is(anySignal(AbortSignal.abort('before'), one.signal).reason, 'before');
});

test('anySignal › a limit that nobody else holds comes also when the collector ran', async (t) => {
  const other = new AbortController();
  const signal = anySignal(AbortSignal.timeout(300), other.signal);
  for (let runs = 0; runs < 100 && !signal.aborted; runs += 1) {
    collect();
    await pause(20);
  }
  t.true(signal.aborted);
});

test('events › end at a limit that nobody else holds also when the collector ran', async (t) => {
  t.timeout(30_000);
  const { store } = await newStore(t);
  const collecting = setInterval(collect, 20);
  t.teardown(() => clearInterval(collecting));
  for await (const _ of store.events({ after: 0, signal: AbortSignal.timeout(1_000) }));
  t.pass();
});
