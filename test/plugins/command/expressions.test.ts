import { groupNames, matchLines } from '@vbs/plugin-command/internal/rules/expressions.js';
import { readOutput } from '@vbs/plugin-command/internal/rules/output.js';
import test from 'ava';

test('matchLines › the first expression that matches a line counts', (t) => {
  t.deepEqual(matchLines('x', ['^(?<a>a)', '(?<b>b)'], ['ab', 'b', 'c']), [[0, { a: 'a' }], [1, { b: 'b' }], null]);
});

test('matchLines › an expression that would need years is ended, and nothing hangs', (t) => {
  t.throws(() => matchLines('The output of list', ['^(a+)+$'], [`${'a'.repeat(60)}b`]), {
    code: 'INTERNAL',
    message: /The output of list kept the configured expressions busy for 2000 ms/,
  });
});

test('matchLines › a line, or a number of lines, that no tool prints is refused', (t) => {
  t.throws(() => matchLines('x', ['a'], ['a'.repeat(8_193)]), { code: 'INTERNAL', message: /8192 characters/ });
  t.throws(() => matchLines('x', ['a'], new Array<string>(50_001).fill('')), { code: 'INTERNAL', message: /50000 lines/ });
});

test('matchLines › a group called like what every object has is a group', (t) => {
  t.deepEqual(matchLines('x', ['(?<constructor>a)'], ['a']), [[0, { constructor: 'a' }]]);
  t.deepEqual(groupNames('(?<constructor>a)|(?<=b)c'), ['constructor']);
});

test('readOutput › a line that no rule explains is an error, never nothing (a tool that was upgraded)', (t) => {
  const rule = { run: 'tool', lines: ['^(?<slot>xvd[a-z]) '], ignore: ['^Vdev '] };
  t.deepEqual(readOutput('list', rule, 'Vdev BE\r\nxvdb 0\r\n\n'), [{ slot: 'xvdb' }]);
  t.deepEqual(readOutput('list', rule, ''), []);
  t.throws(() => readOutput('list', rule, 'Device BE\nxvdb 0\n'), {
    code: 'INTERNAL',
    message: /command list has a line that no rule explains, "Device BE"/,
  });
});
