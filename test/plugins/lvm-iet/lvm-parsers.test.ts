import { readFile } from 'node:fs/promises';
import { VbsError } from '@vbs/core';
import { lvmConfigSchema } from '@vbs/plugin-lvm-iet/internal/lvm/config.js';
import { mapLvmError } from '@vbs/plugin-lvm-iet/internal/lvm/map-error.js';
import { parseAttributes, parseLvmconfig, parseReport } from '@vbs/plugin-lvm-iet/internal/lvm/parse-report.js';
import { lvmConfigOf, settingsOf } from '@vbs/plugin-lvm-iet/internal/lvm/settings.js';
import { backendTag, bytesIn, epochsIn, stateIn } from '@vbs/plugin-lvm-iet/internal/lvm/tags.js';
import test from 'ava';

/** What LVM 2.03.16 told of a group without, and with, a logical volume. */
const empty = `  {
      "report": [
          {
              "vg": [
                  {"vg_attr":"wz--n-", "vg_tags":"vbs.epoch=5", "vg_size":"1069547520", "vg_free":"1069547520", "vg_extent_size":"4194304"}
              ]
              ,
              "pv": [
              ]
              ,
              "lv": [
              ]
              ,
              "pvseg": [
              ]
              ,
              "seg": [
              ]
          }
      ]
  }
`;
const rows = [
  '{"lv_name":"pool", "lv_size":"268435456", "lv_attr":"twi-aotz--", "origin":"", "pool_lv":"", "data_percent":"18.51", "metadata_percent":"11.33", "lv_tags":"", "lv_path":""}',
  '{"lv_name":"snap1", "lv_size":"33554432", "lv_attr":"swi-a-s---", "origin":"vol1", "pool_lv":"", "data_percent":"0.12", "metadata_percent":"", "lv_tags":"b=1,c=1", "lv_path":"/dev/vg0/snap1"}',
  '{"lv_name":"tsnap1", "lv_size":"1073741824", "lv_attr":"Vwi-a-tz-k", "origin":"thin1", "pool_lv":"pool", "data_percent":"3.23", "metadata_percent":"", "lv_tags":"", "lv_path":"/dev/vg0/tsnap1"}',
];
const full = empty.replace('"lv": [\n', `"lv": [\n${rows.join(',\n')}\n`);

test('parseReport › reads a group without a logical volume', (t) => {
  t.deepEqual(parseReport(empty), {
    sizeBytes: 1069547520,
    freeBytes: 1069547520,
    extentBytes: 4194304,
    tags: ['vbs.epoch=5'],
    partial: false,
    volumes: [],
  });
});

test('parseReport › reads pools, classic and thin snapshots', (t) => {
  const [pool, classic, thin] = parseReport(full).volumes;
  t.like(pool, { name: 'pool', dataPercent: 18.51, metadataPercent: 11.33, attributes: { type: 'thin-pool', zeroes: true, active: true } });
  t.like(classic, { origin: 'vol1', tags: ['b=1', 'c=1'], attributes: { type: 'snapshot', invalid: false }, path: '/dev/vg0/snap1' });
  t.like(thin, { origin: 'thin1', pool: 'pool', sizeBytes: 1073741824, attributes: { type: 'thin', open: false } });
});

for (const [what, text] of [
  ['no JSON', 'Volume group "vg0" not found'],
  ['no group', '{"report":[{"vg":[],"lv":[]}]}'],
  ['no section of volumes', empty.replace('"lv"', '"LV"')],
  ['sizes with a unit', full.replace('"33554432"', '"32.00m"')],
] as const) {
  test(`parseReport › refuses ${what}, rather than to call volumes absent`, (t) => {
    t.throws(() => parseReport(text), { instanceOf: VbsError, code: 'INTERNAL' } as never);
  });
}

const attributes = test.macro((t, text: string, wanted: Partial<ReturnType<typeof parseAttributes>>) => {
  t.like(parseAttributes(text), wanted);
});
test('parseAttributes › an origin that is open', attributes, 'owi-aos---', { type: 'origin', open: true, active: true });
test('parseAttributes › an invalid snapshot', attributes, 'swi-I-s---', { type: 'snapshot', invalid: true });
test('parseAttributes › one that is not active', attributes, '-wi-------', { type: 'other', active: false, open: false });
test('parseAttributes › a pool that needs a check', attributes, 'twi-cotz--', { checkNeeded: true });
test('parseAttributes › a pool out of data space', attributes, 'twi-aotzD-', { failure: 'D' });
test('parseAttributes › a pool that does not zero', attributes, 'twi-aot---', { zeroes: false, failure: '' });

test('parseLvmconfig › reads settings', (t) => {
  t.deepEqual(
    [...parseLvmconfig('monitoring=0\nsnapshot_autoextend_threshold=100\nscan_lvs=0\n')],
    [
      ['monitoring', '0'],
      ['snapshot_autoextend_threshold', '100'],
      ['scan_lvs', '0'],
    ],
  );
});

const mapped = test.macro((t, stderr: string, code: string) => {
  const error = new VbsError('INTERNAL', 'lvm ended with exit code 5', { context: { exitCode: 5, stderr } });
  t.is(mapLvmError(error).code, code as never);
});
for (const [stderr, code] of [
  ['  Volume group "vgnone" not found\n  Cannot process volume group vgnone\n', 'UNAVAILABLE'],
  ['  Failed to find logical volume "vg0/none"\n', 'NOT_FOUND'],
  ['  Logical volume none not found in volume group vg0.\n', 'NOT_FOUND'],
  ['  Snapshot origin LV none not found in Volume group vg0.\n', 'NOT_FOUND'],
  ['  Logical Volume "v1" already exists in volume group "vg0"\n', 'ALREADY_EXISTS'],
  ['  Volume group "vg0" has insufficient free space (253 extents): 23842 required.\n', 'RESOURCE_EXHAUSTED'],
  ['  Insufficient free space: 23839 extents needed, but only 252 available\n', 'RESOURCE_EXHAUSTED'],
  ['  Logical volume vg0/v1 in use.\n', 'FAILED_PRECONDITION'],
  ['  WARNING: Thin pool vg0/pool is out of data space.\n  Logical volume vg0/v1 in use.\n', 'FAILED_PRECONDITION'],
  [
    '  WARNING: Thin pool vg0/pool is out of data space.\n  Cannot create new thin volume, free space in thin pool vg0/pool reached threshold.\n',
    'RESOURCE_EXHAUSTED',
  ],
  [
    '  WARNING: VG vg0 is missing PV KrT0xq-tyH6 (last written to /dev/vdb).\n  Cannot change VG vg0 while PVs are missing.\n  See vgreduce --removemissing and vgextend --restoremissing.\n  Cannot process volume group vg0\n',
    'UNAVAILABLE',
  ],
  ['  Snapshot origin volumes can be resized only while inactive: try lvchange -an.\n', 'FAILED_PRECONDITION'],
  ["  Can't create snapshot without using device-mapper kernel driver.\n", 'FAILED_PRECONDITION'],
  ["dd: failed to open '/dev/vg0/v1': No such file or directory\n", 'UNAVAILABLE'],
  [
    '  device-mapper: create ioctl on vg0-snap-cow LVM-x-cow failed: Device or resource busy\n  Failed to suspend logical volume vg0/vol.\n  Aborting. Manual intervention required.\n',
    'INTERNAL',
  ],
  ['  A text that nobody knows\n', 'INTERNAL'],
] as const) {
  test(`mapLvmError › ${JSON.stringify(stderr.trim())} is ${code}`, mapped, stderr, code);
}

test('tags › hold what is read from them, and only what LVM takes', (t) => {
  t.deepEqual(epochsIn(['vbs.epoch=12', 'vbs.epoch=3', 'vbs.epoch=x', 'other']), [3, 12]);
  t.is(stateIn(['vbs.state=half']), undefined);
  t.is(bytesIn(['vbs.bytes=8', 'vbs.bytes=4']), 4, 'a change of tags that was half done counts as not done');
  t.regex(backendTag('pool', 'vs 1/f"ä'), /^[A-Za-z0-9_+.\-/=!:#&]+$/);
});

test('settingsOf › refuses what means nothing for the kind of volume', (t) => {
  t.throws(() => settingsOf('vs1/a', { volumeGroup: 'vg0', maxOvercommit: 3 }), { message: /"maxOvercommit" means nothing for thick/ });
  t.throws(() => settingsOf('vs1/a', { volumeGroup: 'vg0', thinPool: 'p', wipe: 'zero' }), { message: /"wipe" means nothing for thin/ });
  t.throws(() => settingsOf('vs1/a', { volumeGroup: 'vg0', blockBytes: 12_288 }), { message: /multiple of "blockBytes"/ });
  t.is(lvmConfigOf(undefined), 'global{units="b" suffix=0}');
  t.regex(lvmConfigOf(['/dev/disk/by-id/a.b']), /"a\|\^\/dev\/disk\/by-id\/a\[\.\]b\$\|"/);
});

test('lvmConfigSchema › is what backend.schema.json publishes', async (t) => {
  const published = await readFile(new URL('../../../../plugins/lvm-iet/backend.schema.json', import.meta.url), 'utf8');
  t.deepEqual(JSON.parse(published), JSON.parse(JSON.stringify(lvmConfigSchema)));
});
