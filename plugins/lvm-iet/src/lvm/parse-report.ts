import { VbsError } from '@vbs/core';

/** A logical volume as LVM reports it. Internal ones (a pool's data and metadata) are not reported. */
export interface LogicalVolume {
  readonly name: string;
  readonly sizeBytes: number;
  readonly attributes: Attributes;
  /** The name of the LV that it is a snapshot of; '' for none. */
  readonly origin: string;
  readonly pool: string;
  readonly dataPercent: number | undefined;
  readonly metadataPercent: number | undefined;
  readonly tags: readonly string[];
  readonly path: string;
}

/** Of `lv_attr` (lvs(8)), what is of use here. */
export interface Attributes {
  /** `origin` and `snapshot` are classic ones; a thin snapshot is `thin`. */
  readonly type: 'origin' | 'snapshot' | 'thin' | 'thin-pool' | 'other';
  readonly active: boolean;
  readonly invalid: boolean;
  readonly checkNeeded: boolean;
  readonly open: boolean;
  /** New blocks of a thin pool are zeroed before use. */
  readonly zeroes: boolean;
  /** `F` failed, `D` out of data space, `M` metadata read-only; '' for none of these. */
  readonly failure: string;
}

export interface GroupReport {
  readonly sizeBytes: number;
  readonly freeBytes: number;
  readonly extentBytes: number;
  readonly tags: readonly string[];
  /** Devices of it are missing. */
  readonly partial: boolean;
  readonly volumes: readonly LogicalVolume[];
}

const types: Readonly<Record<string, Attributes['type']>> = {
  o: 'origin',
  O: 'origin',
  s: 'snapshot',
  S: 'snapshot',
  V: 'thin',
  t: 'thin-pool',
};

/** The attributes behind the ten characters of `lv_attr`. */
export function parseAttributes(text: string): Attributes {
  const [type = '', , , , state = '', open, , zero, health = ''] = text;
  return {
    type: types[type] ?? 'other',
    active: 'asIScCmM'.includes(state) && state !== '',
    invalid: state === 'I' || state === 'S',
    checkNeeded: state === 'c' || state === 'C',
    open: open === 'o',
    zeroes: zero === 'z',
    failure: 'FDM'.includes(health) ? health : '',
  };
}

/** Reads what `lvm fullreport --reportformat json` tells of one group and its LVs, sizes in bytes. @throws INTERNAL: it is another's text. */
export function parseReport(stdout: string): GroupReport {
  const sections = sectionsOf(stdout);
  const [group, another] = rowsOf(sections, 'vg');
  if (group === undefined || another !== undefined) throw strange(stdout);
  return {
    sizeBytes: bytesOf(group, 'vg_size'),
    freeBytes: bytesOf(group, 'vg_free'),
    extentBytes: bytesOf(group, 'vg_extent_size'),
    tags: listOf(group, 'vg_tags'),
    partial: textOf(group, 'vg_attr')[3] === 'p',
    volumes: rowsOf(sections, 'lv').map((row) => ({
      name: textOf(row, 'lv_name'),
      sizeBytes: bytesOf(row, 'lv_size'),
      attributes: parseAttributes(textOf(row, 'lv_attr')),
      origin: textOf(row, 'origin'),
      pool: textOf(row, 'pool_lv'),
      dataPercent: percentOf(row, 'data_percent'),
      metadataPercent: percentOf(row, 'metadata_percent'),
      tags: listOf(row, 'lv_tags'),
      path: textOf(row, 'lv_path'),
    })),
  };
}

/** `name=value` lines of lvmconfig. */
export function parseLvmconfig(stdout: string): ReadonlyMap<string, string> {
  return new Map(
    stdout.split('\n').flatMap((line) => {
      const [, name, value] = /^\s*([a-z_]+)=(.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? [] : [[name, value] as const];
    }),
  );
}

type Row = Readonly<Record<string, unknown>>;

function sectionsOf(stdout: string): Row {
  let parsed: unknown;
  try {
    parsed = JSON.parse(stdout);
  } catch (cause) {
    throw strange(stdout, cause);
  }
  const { report } = (parsed ?? {}) as { readonly report?: unknown };
  if (!Array.isArray(report) || report.length !== 1) throw strange(stdout);
  return (report[0] ?? {}) as Row;
}

function rowsOf(sections: Row, name: string): readonly Row[] {
  const rows = sections[name];
  if (!Array.isArray(rows)) throw strange(`it has no section ${name}`);
  return rows as readonly Row[];
}

function textOf(row: Row, field: string): string {
  const value = row[field];
  if (typeof value !== 'string') throw strange(`${field} is ${JSON.stringify(value)}`);
  return value;
}

function bytesOf(row: Row, field: string): number {
  const text = textOf(row, field);
  if (!/^[0-9]+$/.test(text)) throw strange(`${field} is ${JSON.stringify(text)}`);
  return Number(text);
}

function percentOf(row: Row, field: string): number | undefined {
  const text = textOf(row, field);
  return text === '' ? undefined : Number(text);
}

function listOf(row: Row, field: string): readonly string[] {
  return textOf(row, field).split(',').filter(Boolean);
}

function strange(what: string, cause?: unknown): VbsError {
  return new VbsError('INTERNAL', `LVM's report could not be understood: ${what.trim().slice(0, 200)}`, { cause });
}
