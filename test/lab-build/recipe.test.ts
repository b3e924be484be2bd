import { keptFolders } from '@vbs/lab/internal/build/configure-root.js';
import { guestList } from '@vbs/lab/internal/build/guest-lists.js';
import { isListed, parseList } from '@vbs/lab/internal/build/lists.js';
import { parseUris } from '@vbs/lab/internal/build/packages.js';
import { recipeHash } from '@vbs/lab/internal/build/recipe.js';
import test from 'ava';

const recipe = {
  packages: [
    { name: 'bash', file: 'bash_5_amd64.deb', digest: 'MD5Sum:1' },
    { name: 'lvm2', file: 'lvm2_2_amd64.deb', digest: '' },
  ],
  guest: { boot: 'a', identity: 'b' },
  builder: { 'unpack.js': 'c' },
  qemu: 'QEMU emulator version 7.2',
  machine: ['-m', '512'],
};

test('recipeHash › is the same whatever the order that things were found in', (t) => {
  const other = { ...recipe, packages: recipe.packages.toReversed(), guest: { identity: 'b', boot: 'a' } };
  t.is(recipeHash(other), recipeHash(recipe));
  t.regex(recipeHash(recipe), /^[0-9a-f]{16}$/);
});

const changes = test.macro({
  exec(t, _what: string, change: Partial<typeof recipe>) {
    t.not(recipeHash({ ...recipe, ...change }), recipeHash(recipe));
  },
  title: (_, what) => `recipeHash › is another when ${what}`,
});
test(changes, 'a package has another version', { packages: [{ name: 'bash', file: 'bash_6_amd64.deb', digest: '' }] });
test(changes, 'a script of the guest changes', { guest: { boot: 'A', identity: 'b' } });
test(changes, 'the builder changes', { builder: { 'unpack.js': 'C' } });
test(changes, "QEMU's version changes", { qemu: 'QEMU emulator version 8' });
test(changes, 'the machine has another shape', { machine: ['-m', '1024'] });

test('parseUris › names each archive that apt would fetch, with and without a digest, in a fixed order', (t) => {
  const printed = [
    "'http://deb.debian.org/pool/l/lvm2_2.03.16-2_amd64.deb' lvm2_2.03.16-2_amd64.deb 1229048 MD5Sum:0a1b",
    "'http://deb.debian.org/pool/b/busybox_1.35.0-4_amd64.deb' busybox-static_1%3a1.35.0-4_amd64.deb 900 ",
    'N: a notice of apt',
  ].join('\n');
  t.deepEqual(parseUris(printed), [
    { name: 'busybox-static', file: 'busybox-static_1%3a1.35.0-4_amd64.deb', digest: '' },
    { name: 'lvm2', file: 'lvm2_2.03.16-2_amd64.deb', digest: 'MD5Sum:0a1b' },
  ]);
});

test('parseList › reads words and leaves comments out', (t) => {
  t.deepEqual(parseList('# a comment\nlvm2\ndm-mod  dm-snapshot # another\n\n'), ['lvm2', 'dm-mod', 'dm-snapshot']);
});

test('guestList › a kind has what every guest has, and what is its own', async (t) => {
  const [storage, xen] = [await guestList('storage', 'packages.txt'), await guestList('xen', 'packages.txt')];
  for (const name of ['open-iscsi', 'aoetools', 'lvm2']) t.true(storage.includes(name) && xen.includes(name), name);
  t.deepEqual([storage.includes('tgt'), xen.includes('tgt')], [true, false]);
  t.deepEqual([storage.includes('xenstore-utils'), xen.includes('xenstore-utils')], [false, true]);
});

test('isListed › takes * for anything and a dot for itself', (t) => {
  t.true(isListed('libfoo-perl', ['perl*', 'lib*-perl']));
  t.false(isListed('libperlite', ['lib*-perl']));
  t.false(isListed('python3x11', ['python3.11']));
});

test('keptFolders › are those that the table mounts from the state disk', (t) => {
  const table = '# /kept/no none bind 0 0\n/var/lib/vbs-lab/kept/etc/iscsi /etc/iscsi none bind 0 0\n/dev/vdb /mnt ext4 defaults 0 0\n';
  t.deepEqual(keptFolders(table), ['/etc/iscsi']);
});
