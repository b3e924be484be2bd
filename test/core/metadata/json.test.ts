import { Secret } from '@vbs/core';
import { fromJournalText, toJournalText } from '@vbs/core/internal/metadata/json.js';
import test from 'ava';

test('toJournalText › gives back what was written', (t) => {
  const value = { text: 'ä\u2028"', list: [1, null, true], nested: { empty: {} } };
  t.deepEqual(fromJournalText(toJournalText(value)), value);
});

for (const [name, value] of [
  ['alone', new Secret('hush')],
  ['as a field', { password: new Secret('hush') }],
  ['deep inside', { a: [{ b: { c: new Secret('hush') } }] }],
] as const) {
  test(`toJournalText › a secret ${name} never reaches the journal`, (t) => {
    const error = t.throws(() => toJournalText(value), { instanceOf: TypeError });
    t.false(error?.message.includes('hush'));
  });
}
