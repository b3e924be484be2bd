import { lvmFailure } from './options.js';
import type { LvmWorld, StandInLv } from './world.js';

type Section = 'vg' | 'pv' | 'lv' | 'pvseg' | 'seg';
export const sections: readonly Section[] = ['vg', 'pv', 'lv', 'pvseg', 'seg'];
type Row = Readonly<Record<string, string | readonly string[]>>;

export interface SectionRequest {
  readonly fields: readonly string[];
  readonly select: string | undefined;
}

/** The rows of a section that a selection lets through, with the fields that were asked for. */
export function rowsOf(world: LvmWorld, section: Section, { fields, select }: SectionRequest): readonly Readonly<Record<string, string>>[] {
  return allRows(world, section)
    .filter((row) => select === undefined || selects(row, select))
    .map((row) =>
      Object.fromEntries(
        fields.map((field) => {
          const value = Object.hasOwn(row, field) || !isKnown(field) ? row[field] : '';
          if (value === undefined) throw lvmFailure(`Unrecognised field: ${field}`);
          return [field, typeof value === 'string' ? value : value.join(',')];
        }),
      ),
    );
}

/** Whether an LV is selected, as `lvremove --select` asks. */
export function selectsLv(world: LvmWorld, lv: StandInLv, select: string): boolean {
  return selects(lvRow(world, lv), select);
}

/** As `lvs -o lv_attr` (lvs(8)). */
export function attributesOf(world: LvmWorld, lv: StandInLv): string {
  const isOrigin = world.snapshotsOf(lv.name).length > 0;
  const pool = world.poolState;
  const open = world.open.has(lv.name) ? 'o' : '-';
  switch (lv.kind) {
    case 'thin-pool': {
      const state = pool.check ? 'c' : lv.active ? 'a' : '-';
      return `twi-${state}${lv.active && world.poolOpen ? 'o' : '-'}t${pool.zero ? 'z' : '-'}${pool.health}-`;
    }
    case 'thin':
      return `Vwi-${lv.active ? 'a' : '-'}${open}t${pool.zero ? 'z' : '-'}-${lv.skip ? 'k' : '-'}`;
    case 'snapshot':
      return `swi-${lv.invalid ? 'I' : lv.active ? 'a' : '-'}${open}s---`;
    case 'thick':
      return `${isOrigin ? 'o' : '-'}wi-${lv.active ? 'a' : '-'}${open}${isOrigin ? 's' : '-'}---`;
  }
}

const known = new Set(
  ['vg_name vg_attr vg_tags vg_size vg_free vg_extent_size', 'pv_name pv_size', 'pvseg_size', 'seg_size']
    .concat('lv_name lv_size lv_attr origin pool_lv data_percent metadata_percent lv_tags lv_path')
    .flatMap((names) => names.split(' ')),
);

function isKnown(field: string): boolean {
  return known.has(field);
}

function allRows(world: LvmWorld, section: Section): readonly Row[] {
  switch (section) {
    case 'vg':
      return [groupRow(world)];
    case 'pv':
      return world.devices.map((device) => ({ pv_name: device, pv_size: String(world.extents * world.extentBytes) }));
    case 'lv':
      return [...world.lvs.values()].map((lv) => ({ ...groupRow(world), ...lvRow(world, lv) })).sort(byName);
    case 'pvseg':
      return world.devices.map((device) => ({ pv_name: device, pvseg_size: String(world.extents) }));
    case 'seg':
      return [...world.lvs.values()].map((lv) => ({ lv_name: lv.name, seg_size: String(lv.sizeBytes) }));
  }
}

function groupRow(world: LvmWorld): Row {
  return {
    vg_name: world.group,
    vg_attr: world.missingDevice ? 'wz-pn-' : 'wz--n-',
    vg_tags: [...world.tags].sort(),
    vg_size: String(world.extents * world.extentBytes),
    vg_free: String(world.freeBytes),
    vg_extent_size: String(world.extentBytes),
  };
}

function lvRow(world: LvmWorld, lv: StandInLv): Row {
  const pool = lv.kind === 'thin-pool' && lv.active;
  const fills = lv.active && (lv.kind === 'thin' || lv.kind === 'snapshot');
  return {
    lv_name: lv.name,
    lv_size: String(lv.sizeBytes),
    lv_attr: attributesOf(world, lv),
    origin: lv.origin,
    pool_lv: lv.pool,
    data_percent: pool ? world.poolState.data.toFixed(2) : fills ? (lv.invalid ? '100.00' : '0.00') : '',
    metadata_percent: pool ? world.poolState.metadata.toFixed(2) : '',
    lv_tags: [...lv.tags].sort(),
    lv_path: lv.kind === 'thin-pool' ? '' : `/dev/${world.group}/${lv.name}`,
  };
}

function byName(a: Row, b: Row): number {
  return String(a.lv_name) < String(b.lv_name) ? -1 : 1;
}

/** Conditions joined by `&&`: `=` and `!=` on texts and lists, `=~` and `!~` on texts alone. */
function selects(row: Row, select: string): boolean {
  return select.split('&&').every((condition) => {
    const [, field = '', operator = '', wanted = ''] = /^([a-z_]+)(=~|!~|!=|=)(.*)$/.exec(condition) ?? [];
    const value = row[field];
    if (value === undefined || !isKnown(field)) {
      const known = [`Unrecognised selection field: ${field}`, `Selection syntax error at '${condition}'.`];
      throw lvmFailure(...known, "Use 'help' for selection to get more help.");
    }
    const matches = operator.endsWith('~');
    if (matches && typeof value !== 'string') throw lvmFailure(`dm_report: incompatible comparison type for selection field ${field}`);
    const holds = matches ? new RegExp(wanted).test(String(value)) : typeof value === 'string' ? value === wanted : value.includes(wanted);
    return holds !== operator.startsWith('!');
  });
}
