import { decidingLine, ownLine, withLine, withoutLines } from '@vbs/plugin-lvm-iet/internal/iet/allow-file.js';
import { shownSerial } from '@vbs/plugin-lvm-iet/internal/iet/names.js';
import { parseSessions } from '@vbs/plugin-lvm-iet/internal/iet/parse-sessions.js';
import { parseUsers } from '@vbs/plugin-lvm-iet/internal/iet/parse-users.js';
import { parseVolumes } from '@vbs/plugin-lvm-iet/internal/iet/parse-volumes.js';
import test from 'ava';

const volumes = `tid:2 name:iqn.2009-11.edu.iu.vbs:lv3
tid:1 name:iqn.2009-11.edu.iu.vbs:lv1
\tlun:0 state:0 iotype:fileio iomode:wt path:/path/lv1.img
\tlun:1 state:a iotype:fileio iomode:ro path:/path/with space
\tlun:2 state:0 iotype:nullio iomode:wt sectors:2048
`;
const sessions = `tid:2 name:iqn.2010-10.org:volume-222
\tsid:562950561399296 initiator:iqn.1994-05.com:5a6894679665
\t\tcid:0 ip:192.168.122.1 state:active hd:none dd:none
\tsid:18446744073709551615 initiator:
\t\tcid:0 ip:fe80::1 state:closing hd:crc32c dd:unknown
\t\tcid:1 ip:192.168.122.1 state:unknown hd:none dd:none
tid:1 name:iqn.2010-10.org:volume-111
`;

test('parseVolumes › reads what the kernel tells, as the sheet has it', (t) => {
  t.deepEqual(parseVolumes(volumes), [
    { tid: 2, iqn: 'iqn.2009-11.edu.iu.vbs:lv3', luns: [] },
    {
      tid: 1,
      iqn: 'iqn.2009-11.edu.iu.vbs:lv1',
      luns: [
        { lun: 0, type: 'fileio', mode: 'wt', path: '/path/lv1.img' },
        { lun: 1, type: 'fileio', mode: 'ro', path: '/path/with space' },
        { lun: 2, type: 'nullio', mode: 'wt', path: undefined },
      ],
    },
  ]);
  t.deepEqual(parseVolumes(''), []);
});

test('parseSessions › reads sessions whose ids are larger than a number can be', (t) => {
  const read = parseSessions(sessions);
  t.deepEqual(read.get(1), []);
  t.deepEqual(read.get(2), [
    {
      sid: '562950561399296',
      initiator: 'iqn.1994-05.com:5a6894679665',
      connections: [{ cid: 0, address: '192.168.122.1', state: 'active' }],
    },
    {
      sid: '18446744073709551615',
      initiator: '',
      connections: [
        { cid: 0, address: 'fe80::1', state: 'closing' },
        { cid: 1, address: '192.168.122.1', state: 'unknown' },
      ],
    },
  ]);
});

const strange = test.macro<[(text: string) => unknown, string]>((t, parse, text) => {
  t.throws(() => parse(text), { code: 'INTERNAL' });
});
test('parseVolumes › refuses a LUN without a target', strange, parseVolumes, '\tlun:0 state:0 iotype:fileio iomode:wt path:/p\n');
test('parseVolumes › refuses other words', strange, parseVolumes, 'target 1\n');
test('parseVolumes › refuses a target that is told twice', strange, parseVolumes, 'tid:1 name:iqn.a\ntid:2 name:iqn.A\n');
test(
  'parseSessions › refuses a connection without a session',
  strange,
  parseSessions,
  'tid:1 name:a\n\t\tcid:0 ip:: state:active hd:none dd:none\n',
);
test('parseSessions › refuses other words', strange, parseSessions, 'tid:1 name:a\n\tsession\n');
test('parseSessions › refuses a target that is told twice', strange, parseSessions, 'tid:1 name:a\ntid:1 name:a\n');

test('parseUsers › reads accounts, and one that was added twice twice', (t) => {
  t.deepEqual(parseUsers('IncomingUser joe\nOutgoingUser jane\nIncomingUser joe\n'), [
    { direction: 'IncomingUser', name: 'joe' },
    { direction: 'OutgoingUser', name: 'jane' },
    { direction: 'IncomingUser', name: 'joe' },
  ]);
  t.deepEqual(parseUsers(''), []);
});

test('parseUsers › refuses a line with a password, and does not tell it', (t) => {
  const error = t.throws(() => parseUsers('IncomingUser joe hush-hush\n'), { code: 'INTERNAL' });
  t.false(JSON.stringify(error).includes('hush'));
});

test('shownSerial › is the last 16 digits of a volume id, so that both ends compare the same', (t) => {
  t.is(shownSerial('vol0123456789abcdef0'), '123456789abcdef0');
});

const line = { iqn: 'iqn.x:exp-1', state: 'open', mode: 'rw', serial: '0123456789abcdef', admitted: ['iqn\\.a'] } as const;
const written = 'iqn.x:exp-1 iqn\\.a,[vbs-open-rw-0123456789abcdef\n';

test('withLine › puts a new line at the end, before what has no newline, and an old one in its place', (t) => {
  t.is(withLine('', line), written);
  t.is(withLine('a 1\nb 2', line), `a 1\n${written}b 2`);
  t.is(withLine(`${written}c 3\n`, { ...line, state: 'revoked' }), 'iqn.x:exp-1 [vbs-revoked-rw-0123456789abcdef\nc 3\n');
  t.is(withLine('a 1\n# vbs\nALL ALL\n', line), `a 1\n${written}# vbs\nALL ALL\n`);
});

test('withLine › leaves every byte of other lines as it is', (t) => {
  const foreign = '#comment\n\n  \tiqn.b   ALL \r\nALL\n\tALL 10.0.0.0/8';
  t.is(withoutLines(withLine(foreign, line), new Set([line.iqn])), foreign);
});

test('ownLine › reads what was written', (t) => {
  t.deepEqual(ownLine(written, line.iqn), line);
  t.deepEqual(ownLine(withLine('', { ...line, state: 'closing', mode: 'ro' }), line.iqn), {
    ...line,
    state: 'closing',
    mode: 'ro',
    admitted: [],
  });
  t.is(ownLine('iqn.x:exp-1 ALL\n', line.iqn), undefined);
});

const decides = test.macro<[string, 'own' | 'nobody' | number]>((t, text, expected) => {
  const deciding = decidingLine(text, line.iqn);
  t.is(deciding === undefined ? 'nobody' : 'own' in deciding ? 'own' : deciding.number, expected);
});
test('decidingLine › ours', decides, `iqn.other ALL\n${written}ALL ALL\n`, 'own');
test('decidingLine › a line for ALL above ours', decides, `# a comment\nALL ALL\n${written}`, 2);
test('decidingLine › a line for ALL after spaces', decides, `  ALL\tALL\n${written}`, 1);
test('decidingLine › a line of the same name that is not ours', decides, `IQN.X:EXP-1 ALL\n${written}`, 1);
test('decidingLine › a line that is commented out', decides, `#ALL ALL\n # ALL ALL\n${written}`, 'own');
test('decidingLine › a line without a list is none', decides, `ALL\n${written}`, 'own');
test('decidingLine › a last line without a newline is none', decides, 'ALL ALL', 'nobody');
test('decidingLine › no line', decides, 'iqn.other ALL\n', 'nobody');
