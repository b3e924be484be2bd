import { disksOf, domidsOf } from '@vbs/plugin-xen/internal/disks.js';
import { parseDomains } from '@vbs/plugin-xen/internal/parse-domains.js';
import { parseStore } from '@vbs/plugin-xen/internal/parse-store.js';
import test from 'ava';

const xlHeader = 'Name                                        ID   Mem VCPUs\tState\tTime(s)\n';
const xmHeader = 'Name                                        ID   Mem VCPUs      State   Time(s)\n';

test('parseDomains › reads the list of xl 4.17, as captured', (t) => {
  const lines = [
    'Domain-0                                     0   512     1     r-----      34.5',
    'domu1                                        1   128     1     --p---      11.8',
    'wrksp-4                                     12   128     1     -b----       4.6',
    'a name with spaces 7 128                    13   128     2     ------       0.0',
    `${'long'.repeat(15)}    14   128     1     ---s--       4.6`,
    'dying                                       15     0     1     ----cd      11.8',
  ];
  t.deepEqual(parseDomains(`${xlHeader}${lines.join('\n')}\n`), [
    { name: 'Domain-0', domid: 0, running: true },
    { name: 'domu1', domid: 1, running: true },
    { name: 'wrksp-4', domid: 12, running: true },
    { name: 'a name with spaces 7 128', domid: 13, running: true },
    { name: 'long'.repeat(15), domid: 14, running: false },
    { name: 'dying', domid: 15, running: false },
  ]);
});

test('parseDomains › reads the list of xm, with VMs that xend knows and that do not run', (t) => {
  const lines = [
    'Domain-0                                     0   512     1     r-----     34.5',
    'vm1                                          7  1024     1     -b----     11.8',
    'vm2                                             1024     1                 0.0',
  ];
  t.deepEqual(parseDomains(`${xmHeader}${lines.join('\n')}\n`), [
    { name: 'Domain-0', domid: 0, running: true },
    { name: 'vm1', domid: 7, running: true },
    { name: 'vm2', running: false },
  ]);
});

for (const text of ['', 'vm1\n', `${xlHeader}vm1 is ill\n`, '[]\n']) {
  test(`parseDomains › refuses what is no such list: ${JSON.stringify(text.slice(-20))}`, (t) => {
    t.throws(() => parseDomains(text), { message: /no line of xl list/ });
  });
}

const byPath = '/dev/disk/by-path/ip-10.0.2.2:3260-iscsi-iqn.2009-11.edu.iu.vbs:01234567:exp-0123456789abcdef0-lun-1';

test('parseStore › reads what xenstore-ls -f 4.17 prints of long values, quotes, escapes and UTF-8', (t) => {
  const text = [
    '/b/vbd = ""',
    `/b/vbd/1/51728/params = "${byPath}"`,
    '/b/vbd/1/51728/uni = "a\\xc3\\xa9b\\nc\\t"q"\\\\"',
    '/b/vbd/1/51728/quote = "say "hi""',
    '/b/gone:',
    '/b/low = "\\001\\x1f"',
    '',
  ].join('\n');
  t.deepEqual(
    [...parseStore(text)],
    [
      ['/b/vbd', ''],
      ['/b/vbd/1/51728/params', byPath],
      ['/b/vbd/1/51728/uni', 'aéb\nc\t"q"\\'],
      ['/b/vbd/1/51728/quote', 'say "hi"'],
      ['/b/low', '\u0001\u001f'],
    ],
  );
});

const cut = ' 51728 = ""\n  params = "/dev/disk/by-path/ip-10.0.2.2:3260-iscsi-iqn.2009-11.edu.iu.vbs\\..."\n';
for (const text of [cut, '/b/params = "/dev/disk/by-path/ip-10\\..."\n', 'xenstore-ls: broken\n']) {
  test(`parseStore › refuses what the tool has cut, as without -f: ${JSON.stringify(text.slice(0, 24))}`, (t) => {
    t.throws(() => parseStore(text), { message: /xenstore-ls -f/ });
  });
}

/** The entry of captures/xl-1.txt, as `-f` prints it. */
const captured = [
  ['bootable', '1'],
  ['dev', 'xvdb'],
  ['device-type', 'disk'],
  ['feature-persistent', '1'],
  ['frontend', '/local/domain/1/device/vbd/51728'],
  ['frontend-id', '1'],
  ['hotplug-status', 'connected'],
  ['info', '0'],
  ['mode', 'w'],
  ['online', '1'],
  ['params', '/dev/loop0'],
  ['physical-device', '7:0'],
  ['physical-device-path', '/dev/loop0'],
  ['removable', '0'],
  ['script', '/etc/xen/scripts/block'],
  ['sector-size', '512'],
  ['sectors', '16384'],
  ['state', '4'],
  ['type', 'phy'],
] as const;
const at = (path: string, fields: readonly (readonly [string, string])[]): string =>
  [`${path} = ""`, ...fields.map(([key, value]) => `${path}/${key} = "${value}"`)].join('\n');

test('disksOf › reads a captured entry', (t) => {
  t.deepEqual(disksOf(parseStore(at('/local/domain/0/backend/vbd/1/51728', captured))), [
    {
      domid: 1,
      vdev: { number: 51728, name: 'xvdb', disk: 1, partition: 0 },
      path: '/dev/loop0',
      access: 'read-write',
      state: 4,
      guestState: 0,
      online: true,
      refused: false,
      device: '7:0',
      sectors: 16384,
      whole: true,
    },
  ]);
});

test('disksOf › reads what others have attached: partitions, QEMU, tapdisk, relative names, empty CD drives, torn entries', (t) => {
  const text = [
    at('/local/domain/0/backend/vbd/3/51713', [
      ['params', 'vg0/root'],
      ['mode', 'w!'],
      ['state', '4'],
      ['physical-device', 'fd:1A'],
    ]),
    at('/local/domain/0/backend/qdisk/3/51744', [
      ['params', 'aio:/srv/a.img'],
      ['mode', 'r'],
      ['state', '1'],
      ['online', '0'],
    ]),
    at('/local/domain/0/backend/tap/3/832', [
      ['params', 'aio:/srv/b.img'],
      ['mode', 'w'],
      ['state', '4'],
    ]),
    at('/local/domain/0/backend/qdisk/3/5632', [
      ['params', 'aio:'],
      ['mode', 'r'],
      ['state', '4'],
    ]),
    at('/local/domain/0/backend/vbd/3/51760', [['hotplug-status', 'busy']]),
    at('/local/domain/0/backend/vif/3/0', [['state', '4']]),
    at('/local/domain/3/device/vbd/51713', [['state', '4']]),
  ].join('\n');
  const found = disksOf(parseStore(text));
  t.deepEqual(
    found.map(({ vdev, path, access, state, online, whole }) => [vdev.name, path, access, state, online, whole]),
    [
      ['xvda1', '/dev/vg0/root', 'read-write', 4, true, true],
      ['xvdc', '/srv/a.img', 'read-only', 1, false, true],
      ['hdb', '/srv/b.img', 'read-write', 4, true, true],
      ['hdc', undefined, 'read-only', 4, true, true],
      ['xvdd', undefined, 'read-only', 0, true, false],
    ],
  );
  t.is(found[0]?.device, '253:26');
  t.true(found[4]?.refused);
});

test('domidsOf › tells every domain of a name, and takes no name from what a guest writes elsewhere', (t) => {
  const text = ['/local/domain/1/name = "vm1"', '/local/domain/2/name = "vm1"', '/local/domain/3/data/name = "vm1"', ''].join('\n');
  t.deepEqual([...domidsOf(parseStore(text))], [['vm1', [1, 2]]]);
});
