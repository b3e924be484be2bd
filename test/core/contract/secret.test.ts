import { isSecret, Secret } from '@vbs/core';
import { fillPattern } from '@vbs/core/internal/command/fill.js';
import { parsePattern } from '@vbs/core/internal/command/pattern.js';
import { redactorOf } from '@vbs/core/internal/machine/redact.js';
import { toJournalText } from '@vbs/core/internal/metadata/json.js';
import test from 'ava';
import { secretOfAnotherCopy } from '../secret-of-another-copy.js';

const secret = secretOfAnotherCopy('correct-horse');

test('isSecret › knows a Secret of another copy of the core, which instanceof does not', (t) => {
  t.false(secret instanceof Secret);
  t.true(isSecret(secret));
  for (const other of [null, undefined, 'text', { reveal: () => 'text' }]) t.false(isSecret(other));
});

test('safety E5 › a Secret of another copy of the core is redacted in commands and in what they print', (t) => {
  const redactor = redactorOf(['login', secret], secretOfAnotherCopy('from-input'));
  t.deepEqual(redactor.command, ['login', '[redacted]']);
  t.is(redactor.text('correct-horse and from-input are wrong'), '[redacted] and [redacted] are wrong');
});

test('safety E5 › a word of a command with a Secret of another copy of the core in it is a Secret', (t) => {
  const [, word] = fillPattern('login', parsePattern('login', 'login password=<password>'), { password: secret });
  t.true(isSecret(word));
  t.is(isSecret(word) ? word.reveal() : word, 'password=correct-horse');
});

test('safety E5 › the journal refuses a Secret of another copy of the core, at any depth', (t) => {
  for (const value of [secret, { chap: { password: secret } }, [secret]]) t.throws(() => toJournalText(value), { instanceOf: TypeError });
});
