import type { Access } from '@vbs/core';

/** What a slot holds, as a VM's configuration has it: `/dev/x,backup=0,cache=none,serial=…,size=8M`. */
export interface Drive {
  readonly text: string;
  /** Of a device or file of the node; left out for volumes of a Proxmox storage and empty CD drives. */
  readonly path?: string;
  readonly access: Access;
  /** As it was when the disk was attached. */
  readonly sizeBytes?: number;
}

export function parseDrive(text: string): Drive {
  const words = text.split(',').map((word) => word.trim());
  const options = new Map(words.map((word, index) => optionOf(word, index === 0)));
  const file = options.get('file') ?? '';
  const sizeBytes = parseSize(options.get('size') ?? '');
  return {
    text,
    ...(file.startsWith('/') ? { path: file } : {}),
    access: ['1', 'on', 'yes', 'true'].includes(options.get('ro') ?? '') || options.get('media') === 'cdrom' ? 'read-only' : 'read-write',
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
  };
}

export interface DriveOptions {
  readonly path: string;
  readonly access: Access;
  readonly serial: string;
  readonly cache: string;
  readonly iothread: boolean;
}

/** What `qm set` takes for a slot. A backup of a VM leaves the disk out: volumes have snapshots of their own. */
export function formatDrive({ path, access, serial, cache, iothread }: DriveOptions): string {
  const options = ['backup=0', `cache=${cache}`, `serial=${serial}`];
  if (access === 'read-only') options.push('ro=1');
  if (iothread) options.push('iothread=1');
  return [path, ...options].join(',');
}

/** The first word needs no key, and may hold the signs of one. */
function optionOf(word: string, isFirst: boolean): readonly [string, string] {
  const [, key, value] = /^([a-z_]+)=(.*)$/.exec(word) ?? [];
  if (key !== undefined && value !== undefined) return [key, value];
  return isFirst ? ['file', word] : [word, ''];
}

const units = { K: 1, M: 2, G: 3, T: 4 } as const;

/** Proxmox VE writes sizes in the largest unit that leaves no rest; those of more digits than a number holds are unknown here. */
function parseSize(text: string): number | undefined {
  const [, digits, unit] = /^(\d+)([KMGT]?)$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const bytes = Number(digits) * 1024 ** (unit === undefined || unit === '' ? 0 : units[unit as keyof typeof units]);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
