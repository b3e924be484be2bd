import { VbsError } from '@vbs/core';
import { parseVdev, vdevOf } from '@vbs/plugin-xen/internal/vdev.js';
import test from 'ava';
import fc from 'fast-check';
import { diskNumber } from '../../stand-ins/xen/disk-number.js';

const letters = (disk: number): string => (disk < 26 ? '' : letters(Math.floor(disk / 26) - 1)) + String.fromCharCode(97 + (disk % 26));
const disks = fc.oneof(
  fc.nat(4095).map((disk) => `xvd${letters(disk)}`),
  fc.nat(15).map((disk) => `sd${letters(disk)}`),
  fc.nat(3).map((disk) => `hd${letters(disk)}`),
);

test('canonicalSlot › knows the numbers of the sheet', (t) => {
  const known: Readonly<Record<string, number>> = {
    xvda: 51712,
    xvdb: 51728,
    xvdp: 51952,
    xvdq: 268439552,
    xvdz: 268441856,
    xvdaa: 268442112,
    sda: 2048,
    sdf: 2128,
    hda: 768,
    hdb: 832,
    hdc: 5632,
  };
  for (const [name, number] of Object.entries(known)) t.like(parseVdev(name), { number, name }, name);
});

test("canonicalSlot › every name of a whole disk, its number and libxl's reading of it are one slot", (t) => {
  fc.assert(
    fc.property(disks, (name) => {
      const number = diskNumber(name) ?? -1;
      const spellings = [name, `/dev/${name}`, String(number), `0x${number.toString(16)}`, `0x${number.toString(16).toUpperCase()}`];
      for (const spelling of spellings) t.deepEqual(parseVdev(spelling), vdevOf(number));
      t.is(parseVdev(name).name, name);
    }),
  );
});

test('canonicalSlot › two names are one slot only if libxl gives them one number', (t) => {
  fc.assert(
    fc.property(disks, disks, (one, other) => {
      t.is(parseVdev(one).name === parseVdev(other).name, diskNumber(one) === diskNumber(other));
    }),
  );
});

test('canonicalSlot › a number is refused, or is the slot whose number it is', (t) => {
  const near = fc
    .tuple(fc.constantFrom(0, 3 << 8, 8 << 8, 22 << 8, 202 << 8, 1 << 28), fc.oneof(fc.nat(255), fc.nat(70_000)))
    .map(([base, more]) => base + more);
  fc.assert(
    fc.property(fc.oneof(near, fc.nat(2 ** 31 - 1)), (number) => {
      try {
        t.is(diskNumber(parseVdev(String(number)).name), number);
      } catch (error) {
        t.true(error instanceof VbsError && error.code === 'INVALID_ARGUMENT' && error.context.field === 'device');
      }
    }),
    { numRuns: 2_000 },
  );
});

test('canonicalSlot › no text is a slot but those', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^(\/dev\/)?(xvd|sd|hd|vd)[a-z0-9]{0,6}$/)), (text) => {
      try {
        const { name, number } = parseVdev(text);
        t.is(diskNumber(name), number);
        t.is(diskNumber(text.replace(/^\/dev\//, '')), number);
      } catch (error) {
        t.true(error instanceof VbsError && error.code === 'INVALID_ARGUMENT');
      }
    }),
    { numRuns: 2_000 },
  );
});

test('vdevOf › tells what is no whole disk by a name of its own, and which disk of the guest it is', (t) => {
  t.like(vdevOf(51713), { name: 'xvda1', disk: 0, partition: 1 });
  t.like(vdevOf(5632), { name: 'hdc', disk: 2 });
  t.like(vdevOf(51744), { name: 'xvdc', disk: 2 });
  t.like(vdevOf((1 << 28) | (1 << 8)), { name: '268435712', disk: 1 });
  t.like(vdevOf((3 << 8) | 192), { name: '960', disk: 3 });
  t.deepEqual(vdevOf(70_000), { number: 70_000, name: '70000', partition: 0 });
});
