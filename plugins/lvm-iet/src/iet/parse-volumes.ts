import { VbsError } from '@vbs/core';

/** A logical unit as the kernel tells it. `path` is undefined for a `nullio` one. */
export interface IetLun {
  readonly lun: number;
  readonly type: string;
  /** `wt`, `ro` or `wb`. */
  readonly mode: string;
  readonly path: string | undefined;
}

export interface IetTarget {
  readonly tid: number;
  readonly iqn: string;
  readonly luns: readonly IetLun[];
}

/**
 * The targets in /proc/net/iet/volume (IET 0.4.15 to 1.4.20).
 * @throws INTERNAL: the text is not of this form, or tells a target twice.
 */
export function parseVolumes(text: string): readonly IetTarget[] {
  const targets: (IetTarget & { readonly luns: IetLun[] })[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const target = parseTargetLine(line);
    if (target !== undefined) {
      targets.push({ ...target, luns: [] });
      continue;
    }
    const { lun, type, mode, path } =
      /^\tlun:(?<lun>\d+) state:[0-9a-f]+ iotype:(?<type>\S+) iomode:(?<mode>\S+)(?: path:(?<path>.*)| sectors:\d+.*)?$/.exec(line)
        ?.groups ?? {};
    const last = targets.at(-1);
    if (lun === undefined || type === undefined || mode === undefined || last === undefined) throw strange('volume', line);
    last.luns.push({ lun: Number(lun), type, mode, path });
  }
  const keys = targets.flatMap(({ tid, iqn }) => [String(tid), iqn.toLowerCase()]);
  if (new Set(keys).size !== keys.length) throw strange('volume', 'a target is told twice');
  return targets;
}

/** `tid:1 name:iqn…`, which heads a target's lines in each file; undefined for another line. */
export function parseTargetLine(line: string): { readonly tid: number; readonly iqn: string } | undefined {
  const { tid, iqn } = /^tid:(?<tid>\d+) name:(?<iqn>\S+)$/.exec(line)?.groups ?? {};
  return tid === undefined || iqn === undefined ? undefined : { tid: Number(tid), iqn };
}

export function strange(file: string, line: string): VbsError {
  const message = `/proc/net/iet/${file} is of a form that VBS does not know (it knows that of IET 0.4.15 to 1.4.20).`;
  return new VbsError('INTERNAL', message, { context: { line: line.slice(0, 200) } });
}
