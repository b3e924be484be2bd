import { parsePortals } from '@vbs/plugin-tgt/internal/parse-portals.js';
import { parseInFlight } from '@vbs/plugin-tgt/internal/parse-statistics.js';
import { parseTargets } from '@vbs/plugin-tgt/internal/parse-targets.js';
import { isServedBy, parsePortal } from '@vbs/plugin-tgt/internal/portal.js';
import test from 'ava';
import { shownStatistics, shownTargets } from './captures.js';

test('parseTargets › reads a captured answer of tgtadm', (t) => {
  const [first, second, ...rest] = parseTargets(shownTargets);
  t.deepEqual(rest, []);
  t.like(first, {
    tid: 123456789,
    iqn: 'iqn.2009-11.edu.iu.vbs:01234567:exp-00000000000000001',
    state: 'ready',
    accounts: ['exp-00000000000000001'],
    acl: ['iqn.2009-11.org.example:node1', '127.0.0.1'],
  });
  t.deepEqual(first?.sessions, [{ sid: 9, initiator: 'iqn.2010-11.libiscsi:iscsi-perf', connections: [0] }]);
  t.deepEqual(first?.luns[1], {
    lun: 1,
    scsiId: 'vol00000000000000001',
    serial: 'vol00000000000000001',
    megabytes: 105,
    online: true,
    readOnly: true,
    path: '/dev/vg0/with space ',
    flags: 'sync',
  });
  t.like(second, { tid: 2, state: 'offline', sessions: [], accounts: [], acl: [] });
});

test('parseTargets › reads no target from an empty answer', (t) => t.deepEqual(parseTargets(''), []));

const strange = test.macro<[string]>((t, output) => {
  t.throws(() => parseTargets(output), { code: 'INTERNAL' });
});
test('parseTargets › refuses an answer with other words', strange, 'Ziel 1: iqn.x\n');
test('parseTargets › refuses a target without its sections', strange, 'Target 1: iqn.x\n    System information:\n        State: ready\n');
test('parseTargets › refuses another indentation', strange, shownTargets.replace('    I_T', '   I_T'));
test('parseTargets › refuses a size in another unit', strange, shownTargets.replace('105 MB', '105 MiB'));
test(
  'parseTargets › refuses an answer that tells a target twice, as an initiator with a line break in its alias could',
  strange,
  `${shownTargets}${shownTargets}`,
);

test('parseInFlight › adds up what all sessions have begun and not ended', (t) => {
  t.is(parseInFlight(shownStatistics), 2535 - 2269 + 1);
  t.is(parseInFlight(shownStatistics.split('\n')[0] ?? ''), 0);
  t.throws(() => parseInFlight(`${shownStatistics}a b c\n`), { code: 'INTERNAL' });
});

test('parsePortals › reads IPv4 and IPv6 portals, and none from a tgtd that could not listen', (t) => {
  t.deepEqual(parsePortals('Portal: 127.0.0.1:13260,1\nPortal: [::1]:3260,1\n'), [
    { host: '127.0.0.1', port: 13260 },
    { host: '::1', port: 3260 },
  ]);
  t.deepEqual(parsePortals(''), []);
});

const served = test.macro<[string, string, boolean]>((t, wanted, open, expected) => {
  const [one, other] = [parsePortal(wanted), parsePortal(open)];
  t.truthy(one);
  t.truthy(other);
  if (one !== undefined && other !== undefined) t.is(isServedBy(one, other), expected);
});
test('isServedBy › the same address', served, '10.0.0.5:3260', '10.0.0.5:3260', true);
test('isServedBy › another port', served, '10.0.0.5:3260', '10.0.0.5:3261', false);
test('isServedBy › another address', served, '10.0.0.5:3260', '10.0.0.6:3260', false);
test('isServedBy › every address', served, '10.0.0.5:3260', '0.0.0.0:3260', true);
test('isServedBy › the same IPv6 address, written otherwise', served, '[fe80:0::1]:3260', '[fe80::1]:3260', true);
test('isServedBy › a name, by its port', served, 'vs1.example.org:3260', '10.0.0.5:3260', true);
