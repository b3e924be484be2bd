import { readFile } from 'node:fs/promises';
import { type AttachDeviceRequest, Secret, VbsError } from '@vbs/core';
import { libvirtConfigSchema } from '@vbs/plugin-libvirt/internal/config.js';
import { derivedInitiatorName, isUuid, secretOf } from '@vbs/plugin-libvirt/internal/names.js';
import { formatNbdUri, parseNbdUri } from '@vbs/plugin-libvirt/internal/nbd-uri.js';
import { parseDomain, parseXml } from '@vbs/plugin-libvirt/internal/parse-domain.js';
import { wantedDisk } from '@vbs/plugin-libvirt/internal/requests.js';
import { parseSlot } from '@vbs/plugin-libvirt/internal/slot.js';
import { deviceSourceOf } from '@vbs/plugin-libvirt/internal/source.js';
import { diskXml, secretXml } from '@vbs/plugin-libvirt/internal/write-xml.js';
import test from 'ava';
import fc from 'fast-check';

const settings = { initiatorName: 'iqn.2009-11.org.example:kvm1', onError: 'report' } as const;
const uuid = '01234567-89ab-cdef-0123-456789abcdef';

function request(overrides: Partial<AttachDeviceRequest> = {}): AttachDeviceRequest {
  return {
    attachmentId: 'att-00000000000000001',
    vm: uuid,
    slot: 'vdb',
    source: { kind: 'block', path: '/dev/vg0/vol' },
    access: 'read-write',
    sizeBytes: 65536,
    serial: 'vol00000000000000001',
    ...overrides,
  };
}

const nbd = (uri: string) => ({ kind: 'connection', connection: { protocol: 'nbd', key: uri, uri } }) as const;
const iscsi = {
  kind: 'connection',
  connection: {
    protocol: 'iscsi',
    key: 'iqn.2009-11.org.example:t1/1',
    portals: ['[fd00::1]:3260', '10.0.0.5:3260'],
    iqn: 'iqn.2009-11.org.example:t1',
    lun: 1,
    serial: 'vol00000000000000001',
    chap: { user: 'exp-1', password: new Secret('must not be seen') },
  },
} as const;

/** What libvirt would answer for a disk that it was given so. */
function readBack(xml: string) {
  return parseDomain(parseXml(`<domain id='3'><uuid>${uuid}</uuid><name>v</name><devices>${xml}</devices></domain>`))?.disks[0];
}

test('diskXml › is written as libvirt wants it', (t) => {
  t.is(
    diskXml(wantedDisk(request({ source: iscsi, access: 'read-only' })), settings),
    '<disk type="network" device="disk"><driver name="qemu" type="raw" cache="none" error_policy="report" rerror_policy="report"/>' +
      '<source protocol="iscsi" name="iqn.2009-11.org.example:t1/1"><host name="fd00::1" port="3260"/>' +
      `<auth username="exp-1"><secret type="iscsi" uuid="${secretOf('att-00000000000000001')}"/></auth>` +
      '<initiator><iqn name="iqn.2009-11.org.example:kvm1"/></initiator></source><target dev="vdb" bus="virtio"/><readonly/>' +
      '<serial>vol00000000000000001</serial><alias name="ua-att-00000000000000001"/></disk>',
  );
  t.regex(
    diskXml(wantedDisk(request({ slot: 'sdb' })), { ...settings, onError: 'stop' }),
    /error_policy="stop".*<target dev="sdb" bus="scsi"\/>/,
  );
  t.regex(
    diskXml(wantedDisk(request({ source: nbd('nbds://nbd.example.org/exp-1') })), settings),
    /tls="yes"><host name="nbd.example.org" port="10809"\/>/,
  );
});

test('diskXml › whatever a path holds, it is read back as it was, and nothing else is in the disk', (t) => {
  fc.assert(
    fc.property(fc.stringMatching(/^\/[ -~äß]{1,40}$/), (path) => {
      const wanted = wantedDisk(request({ source: { kind: 'block', path } }));
      const disk = readBack(diskXml(wanted, settings));
      t.deepEqual(disk?.source, wanted.source);
      t.is(disk?.target, 'vdb');
      t.is(disk?.alias, 'ua-att-00000000000000001');
    }),
  );
});

test('a source › is told as it was asked for, but for the secret', (t) => {
  for (const uri of ['nbd://127.0.0.1:10809/exp-1', 'nbds://[::1]:1/a%20b', 'nbd+unix:///exp-1?socket=/run/a%20b.sock']) {
    const wanted = wantedDisk(request({ source: nbd(uri) }));
    const found = readBack(diskXml(wanted, settings))?.source;
    t.is(found?.key, wanted.source.key);
    t.deepEqual(found && deviceSourceOf(found), nbd(uri));
  }
  const wanted = wantedDisk(request({ source: iscsi }));
  const found = readBack(diskXml(wanted, settings))?.source;
  const { chap: _chap, ...connection } = iscsi.connection;
  t.deepEqual(found && deviceSourceOf(found), { kind: 'connection', connection: { ...connection, portals: ['[fd00::1]:3260'] } });
});

test('parseNbdUri › knows the forms of the specification, and no others', (t) => {
  t.is(formatNbdUri(parseNbdUri('nbd://EXAMPLE.org/e') ?? t.fail()), 'nbd://example.org:10809/e');
  for (const uri of [
    '',
    'nbd',
    'nbd:///e',
    'nbd+unix:///e',
    'nbd+unix:///e?socket=s',
    'nbd://h/e?socket=/s',
    'http://h/e',
    'nbd://h/%zz',
  ]) {
    t.is(parseNbdUri(uri), undefined, uri);
  }
});

for (const [field, overrides] of [
  ['attachmentId', { attachmentId: '../../etc/passwd' }],
  ['slot', { slot: '/dev/vdb' }],
  ['serial', { serial: 'a serial number that is too long' }],
  ['source.path', { source: { kind: 'block', path: 'sda' } }],
  ['source.connection.uri', { source: nbd('file:///etc/passwd') }],
  ['source.connection.portals', { source: { ...iscsi, connection: { ...iscsi.connection, portals: [] } } }],
  ['source.connection.iqn', { source: { ...iscsi, connection: { ...iscsi.connection, iqn: 'iqn.x/1' } } }],
] as const) {
  test(`attachDevice › refuses a request whose ${field} is not legal`, (t) => {
    const error = t.throws(() => wantedDisk(request(overrides as Partial<AttachDeviceRequest>)), { instanceOf: VbsError });
    t.is(error.code, 'INVALID_ARGUMENT');
    t.is(error.context.field, field);
  });
}

test('attachDevice › is UNSUPPORTED for a protocol that QEMU is not given', (t) => {
  const aoe = { kind: 'connection', connection: { protocol: 'aoe', key: 'e1.1', shelf: 1, slot: 1, serial: 's' } } as const;
  t.like(
    t.throws(() => wantedDisk(request({ source: aoe }))),
    { code: 'UNSUPPORTED' },
  );
});

test('parseDomain › reads a captured disk, and leaves the source of what VBS never attaches out', (t) => {
  const domain = parseDomain(
    parseXml(
      `<domain type='qemu' id='5'><name>a &lt;b></name><uuid>${uuid}</uuid><description>
</domain>&lt;domain></description><devices>
<disk type="network" device="disk"><driver name="qemu" type="raw" cache="none"/><source protocol="iscsi" name="iqn.2026-01.org.probe:lv/1" index="3">
<host name="127.0.0.1" port="13260"/><initiator><iqn name="iqn.2026-01.org.probe:lvhyp"/></initiator></source>
<target dev="sda" bus="scsi"/><serial>LVISC</serial><alias name="scsi0-0-0-0"/></disk>
<disk type='file' device='disk'><source file='/a'/><target dev='hda' bus='ide'/></disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>
<disk type='network' device='disk'><source protocol='rbd' name='p/i'/><target dev='vdz' bus='virtio'/></disk>
<controller type='scsi' index='0' model='virtio-scsi'/></devices></domain>`.replace('</domain>&lt;', '&lt;/domain>&lt;'),
    ),
  );
  t.like(domain, { uuid, name: 'a <b>', id: '5', hasScsi: true });
  t.deepEqual(domain?.disks, [
    {
      target: 'sda',
      bus: 'scsi',
      alias: 'scsi0-0-0-0',
      source: {
        type: 'iscsi',
        key: 'iscsi iqn.2026-01.org.probe:lv/1',
        host: '127.0.0.1',
        port: 13260,
        iqn: 'iqn.2026-01.org.probe:lv',
        lun: 1,
        serial: 'LVISC',
      },
      access: 'read-write',
    },
    { target: 'hda', bus: 'ide', access: 'read-write' },
    { target: 'hdc', bus: 'ide', access: 'read-only' },
    { target: 'vdz', bus: 'virtio', access: 'read-write' },
  ]);
});

for (const text of ['', 'error', '<domain>', '<domain><name>a</domain>', '<look></look><look></look>']) {
  test(`parseXml › refuses ${JSON.stringify(text)}`, (t) => {
    t.like(
      t.throws(() => parseXml(text), { instanceOf: VbsError }),
      { code: 'INTERNAL' },
    );
  });
}

test('canonicalSlot › no text is a slot but those', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^(\/dev\/)?(vd|sd|hd|xvd)[a-z0-9]{0,4}$/)), (text) => {
      try {
        const { name } = parseSlot(text);
        t.regex(name, /^[vs]d[a-z]{1,2}$/);
        t.is(text.replace('/dev/', ''), name);
      } catch (error) {
        t.true(error instanceof VbsError && error.code === 'INVALID_ARGUMENT' && error.context.field === 'device');
      }
    }),
    { numRuns: 2_000 },
  );
});

test('names › an initiator is named anew for each store and instance, and a secret by its attachment', (t) => {
  const name = derivedInitiatorName('0123456789abcdef', 'KVM 1/hypervisor');
  t.regex(name, /^iqn\.2009-11\.edu\.iu\.vbs:01234567:kvm-1-hypervisor-[0-9a-f]{8}$/);
  t.not(derivedInitiatorName('0123456789abcdef', 'KVM-1/hypervisor'), name);
  t.true(isUuid(secretOf('att-1')));
  t.not(secretOf('att-1'), secretOf('att-2'));
  t.regex(secretXml('att-1'), /ephemeral="no" private="yes"/);
});

test('libvirtConfigSchema › is what config.schema.json publishes', async (t) => {
  const published = await readFile(new URL('../../../../plugins/libvirt/config.schema.json', import.meta.url), 'utf8');
  t.deepEqual(JSON.parse(published), libvirtConfigSchema);
});
