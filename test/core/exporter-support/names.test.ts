import { defaultTargetIds, IscsiNames, requireExportId } from '@vbs/core/exporter-support';
import test from 'ava';

const exportId = 'exp-0123456789abcdef0';
const storeId = '89abcdef0123456789abcdef01234567';
const names = new IscsiNames('iqn.2009-11.edu.iu.vbs', storeId);

test('IscsiNames › a name has the prefix, 8 digits of the store id and the export id, and leads back to the export', (t) => {
  const iqn = names.iqn(exportId);
  t.is(iqn, `iqn.2009-11.edu.iu.vbs:89abcdef:${exportId}`);
  t.is(names.exportId(iqn), exportId);
});

const foreign = test.macro<[iqn: string]>({
  exec: (t, iqn) => t.is(names.exportId(iqn), undefined),
  title: (what, iqn) => `IscsiNames › D1 is not this store's: ${what} (${iqn})`,
});

test("another store's target", foreign, `iqn.2009-11.edu.iu.vbs:00000000:${exportId}`);
test('another prefix', foreign, `iqn.2001-04.com.example:89abcdef:${exportId}`);
test('no export id', foreign, 'iqn.2009-11.edu.iu.vbs:89abcdef:disk1');
test('more after the export id', foreign, `iqn.2009-11.edu.iu.vbs:89abcdef:${exportId}0`);

test('requireExportId › lets an export id pass', (t) => {
  t.notThrows(() => requireExportId(exportId));
});

const refused = test.macro<[value: unknown]>({
  exec: (t, value) => {
    t.like(
      t.throws(() => requireExportId(value)),
      { code: 'INVALID_ARGUMENT', context: { field: 'exportId' } },
    );
  },
  title: (what) => `requireExportId › refuses ${what}`,
});

test('a path', refused, '../etc');
test("a volume's id", refused, 'vol-0123456789abcdef0');
test('an export id with a line after it', refused, `${exportId}\nALL`);
test('nothing', refused, undefined);

test('defaultTargetIds › are 4096 ids of 31 bits, the same for the same instance, not those of 1 up', (t) => {
  const ids = defaultTargetIds(storeId, 'exporter-1');
  t.deepEqual(ids, defaultTargetIds(storeId, 'exporter-1'));
  t.is(ids.last - ids.first, 4_095);
  t.true(ids.first >= 4_096 && ids.last <= 2 ** 31 - 1);
});

test('defaultTargetIds › E2 two instances, and two stores, have ids of their own: equal ids would give two volumes one WWID', (t) => {
  const firsts = [
    defaultTargetIds(storeId, 'exporter-1'),
    defaultTargetIds(storeId, 'exporter-2'),
    defaultTargetIds(`0${storeId.slice(1)}`, 'exporter-1'),
  ].map(({ first }) => first);
  t.is(new Set(firsts).size, firsts.length);
});
