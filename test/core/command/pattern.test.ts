import type { VbsError } from '@vbs/core';
import { parsePattern } from '@vbs/core/internal/command/pattern.js';
import test from 'ava';

test('parsePattern › splits at white space, into literals and placeholders', (t) => {
  const { words, placeholders } = parsePattern('attach', 'xl block-attach  <vmId> phy:<vmmDev>\t<vmDev> <mode>');
  t.deepEqual(words, [
    [{ literal: 'xl' }],
    [{ literal: 'block-attach' }],
    [{ placeholder: 'vmId' }],
    [{ literal: 'phy:' }, { placeholder: 'vmmDev' }],
    [{ placeholder: 'vmDev' }],
    [{ placeholder: 'mode' }],
  ]);
  t.deepEqual([...placeholders], ['vmId', 'vmmDev', 'vmDev', 'mode']);
});

test('parsePattern › quotes have no meaning', (t) => {
  t.deepEqual(parsePattern('x', `virsh '<a>"`).words[1], [{ literal: "'" }, { placeholder: 'a' }, { literal: '"' }]);
});

const illegal = test.macro<[pattern: string, message: RegExp]>({
  title: (_, pattern) => `parsePattern › refuses ${JSON.stringify(pattern)}, naming it`,
  exec: (t, pattern, message) => {
    const error = t.throws<VbsError>(() => parsePattern('attach', pattern), { code: 'INVALID_ARGUMENT', message });
    t.true(error?.message.includes(`"attach", ${JSON.stringify(pattern)}`));
  },
});
test(illegal, '', /empty/);
test(illegal, ' \n', /empty/);
test(illegal, '<tool> x', /begin with the tool/);
test(illegal, 'x<tool> x', /begin with the tool/);
test(illegal, '-n x', /begins with an option/);
test(illegal, './x <a>', /absolute/);
test(illegal, 'bin/x <a>', /absolute/);
test(illegal, 'xl <a', /lone "<"/);
test(illegal, 'xl a>', /lone ">"/);
test(illegal, 'xl <<a>>', /lone "<"/);
test(illegal, 'xl <>', /placeholder <>/);
test(illegal, 'xl <a-b>', /placeholder <a-b>/);
test(illegal, 'xl <a b>', /lone "<"/);
test(illegal, 'xl a\0b', /control character/);
