import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { optionsOf } from '@vbs/plugin-proxmox-kvm/internal/api/pending.js';
import { proxmoxConfigSchema } from '@vbs/plugin-proxmox-kvm/internal/config.js';
import { formatDrive, parseDrive } from '@vbs/plugin-proxmox-kvm/internal/drive.js';
import { mapText } from '@vbs/plugin-proxmox-kvm/internal/map-error.js';
import { attachedDevices, parseConfigFile } from '@vbs/plugin-proxmox-kvm/internal/vm.js';
import test from 'ava';

const file = `#notes: scsi7%3A /dev/no
boot: order=scsi0
hotplug: disk,network
name: web
scsi0: local-lvm:vm-100-disk-0,size=4G
scsi1: /dev/disk/by-path/ip-10.0.0.5:3260-iscsi-iqn.2009-11.edu.iu.vbs:01234567:exp-1-lun-1,backup=0,cache=none,serial=vol1,size=8M
smbios1: uuid=6F3E0C0A-1111-4222-8333-444455556666
unused0: local-lvm:vm-100-disk-9

[PENDING]
delete: scsi1,!net0
virtio2: /dev/coming,ro=1,size=1536K

[special:cloudinit]
scsi8: /dev/none

[before]
scsi9: /dev/of-a-snapshot,size=1M
`;

test('parseConfigFile › tells what is, what is to come, and nothing of notes and snapshots', (t) => {
  const vm = parseConfigFile('100', file);
  t.is(vm.uuid, '6f3e0c0a-1111-4222-8333-444455556666');
  t.is(vm.hotplug, 'disk,network');
  t.is(vm.digest, createHash('sha1').update(file).digest('hex'));
  t.deepEqual([...vm.slots.keys()], ['scsi0', 'scsi1', 'virtio2']);
  t.like(vm.slots.get('scsi1'), { leaving: true, current: { sizeBytes: 8 * 1024 ** 2, access: 'read-write' } });
  t.is(vm.slots.get('scsi1')?.current?.path, '/dev/disk/by-path/ip-10.0.0.5:3260-iscsi-iqn.2009-11.edu.iu.vbs:01234567:exp-1-lun-1');
  t.like(vm.slots.get('virtio2'), { leaving: false, next: { path: '/dev/coming', access: 'read-only', sizeBytes: 1536 * 1024 } });
  t.deepEqual([...vm.unused.keys()], ['unused0']);
  t.deepEqual(
    attachedDevices('key', vm).map(({ slot, state, source }) => [slot, state, source?.kind]),
    [
      ['scsi0', 'attached', undefined],
      ['scsi1', 'attached', 'block'],
      ['virtio2', 'changing', 'block'],
    ],
  );
});

test('parseConfigFile › takes an empty file for a VM without disks', (t) => {
  t.deepEqual([...parseConfigFile('100', '').slots], []);
});

test('parseDrive › reads sizes as Proxmox VE writes them, and no others', (t) => {
  const sizes = {
    '8M': 8 * 1024 ** 2,
    '1536K': 1536 * 1024,
    '4G': 4 * 1024 ** 3,
    '2T': 2 * 1024 ** 4,
    '512': 512,
    '9999999999T': undefined,
    '1.5G': undefined,
    '': undefined,
  };
  for (const [text, bytes] of Object.entries(sizes)) t.is(parseDrive(`/dev/x,size=${text}`).sizeBytes, bytes, text);
});

test('parseDrive › a path with an equals sign is a path', (t) => {
  t.is(parseDrive('/dev/disk/by-id/a=b,ro=1').path, '/dev/disk/by-id/a=b');
  t.is(parseDrive('file=/dev/x,ro=1').path, '/dev/x');
  t.is(parseDrive('none,media=cdrom').path, undefined);
  t.is(parseDrive('local:iso/x.iso,media=cdrom').access, 'read-only');
});

test('formatDrive › is read back as what it was made of', (t) => {
  for (const access of ['read-only', 'read-write'] as const) {
    const text = formatDrive({ path: '/dev/x', access, serial: 'vol1', cache: 'none', iothread: true });
    t.like(parseDrive(text), { path: '/dev/x', access });
  }
});

test('optionsOf › takes the numbers and texts of the REST API', (t) => {
  const { current, next, leaving } = optionsOf([
    { key: 'memory', value: 512 },
    { key: 'scsi1', value: '/dev/x', delete: 1 },
    { key: 'scsi2', pending: '/dev/y' },
    { key: 'scsi3', value: '/dev/z', delete: 0 },
  ]);
  t.deepEqual(
    [...current],
    [
      ['memory', '512'],
      ['scsi1', '/dev/x'],
      ['scsi3', '/dev/z'],
    ],
  );
  t.deepEqual([...next], [['scsi2', '/dev/y']]);
  t.deepEqual([...leaving], ['scsi1']);
  t.throws(() => optionsOf({}), { message: /in a form that is not known/ });
});

test('mapText › knows the texts of the sheet', (t) => {
  const texts = {
    "400 Parameter verification failed.\nscsi1: hotplug problem - error on hot-unplugging device 'scsi1' - still busy in guest?\n\nqm set <vmid> [OPTIONS]":
      ['FAILED_PRECONDITION', 'guest-busy'],
    "scsi0: hotplug problem - can't unplug bootdisk 'scsi0'": ['FAILED_PRECONDITION', 'bootdisk'],
    'volume /dev/x does not exist': ['FAILED_PRECONDITION', 'no-device'],
    'VM is locked (backup)': ['ABORTED', 'locked'],
    "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout": ['ABORTED', 'locked'],
    "Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist": ['NOT_FOUND', undefined],
    'no options specified': ['INVALID_ARGUMENT', undefined],
    '400 not enough arguments': ['INVALID_ARGUMENT', undefined],
    'Only root can pass arbitrary filesystem paths.': ['PERMISSION_DENIED', 'only-root'],
    'detected modified configuration - file changed by other user? Try again.': ['ABORTED', 'changed-meanwhile'],
    'checksum missmatch (file change by other user?)': ['ABORTED', 'changed-meanwhile'],
    'sudo: a password is required': ['PERMISSION_DENIED', undefined],
    'cluster not ready - no quorum?': ['UNAVAILABLE', undefined],
  } as const;
  for (const [text, [code, reason]] of Object.entries(texts)) {
    const error = mapText(text, {});
    t.is(error?.code, code, text);
    t.is(error?.context.reason, reason, text);
  }
  t.is(mapText('something new', {}), undefined);
});

test('config.schema.json › is the schema that the plugin checks by', (t) => {
  const published = JSON.parse(
    readFileSync(new URL('../../../../plugins/proxmox-kvm/config.schema.json', import.meta.url), 'utf8'),
  ) as unknown;
  t.deepEqual(published, JSON.parse(JSON.stringify(proxmoxConfigSchema)));
});
