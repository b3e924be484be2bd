import { ParameterErrors } from './refusal.js';

/** A drive's options, `file` among them. */
export type DriveOptions = Map<string, string>;

const common = [
  'file',
  'aio',
  'backup',
  'cache',
  'detect_zeroes',
  'discard',
  'format',
  'media',
  'replicate',
  'serial',
  'shared',
  'size',
  'snapshot',
];
const ofBus = {
  ide: ['model', 'ssd', 'wwn'],
  sata: ['ssd', 'wwn'],
  scsi: ['iothread', 'queues', 'ro', 'scsiblock', 'ssd', 'wwn', 'product', 'vendor'],
  virtio: ['iothread', 'ro'],
} as const;
const legalValues: Readonly<Record<string, RegExp>> = {
  cache: /^(none|writethrough|writeback|unsafe|directsync)$/,
  serial: /^.{1,60}$/,
  ro: /^[01]$/,
  backup: /^[01]$/,
  iothread: /^[01]$/,
};

export function isSlot(name: string): boolean {
  const [, bus, index] = /^(ide|sata|scsi|virtio)(\d|[1-9]\d)$/.exec(name) ?? [];
  const last = { ide: 3, sata: 5, scsi: 30, virtio: 15 }[bus ?? ''];
  return last !== undefined && Number(index) <= last;
}

/** A drive of a slot, as strict as the schema of `qm set`. */
export function parseDrive(slot: string, text: string): DriveOptions {
  const bus = slot.replace(/\d+$/, '') as keyof typeof ofBus;
  const refuse = (key: string, why: string): never => {
    throw new ParameterErrors({ [slot]: `invalid format - format error\n${slot}.${key}: ${why}\n` });
  };
  const options: DriveOptions = new Map();
  for (const [index, word] of text.split(',').entries()) {
    const [, key = '', value = ''] = /^([a-z_]+)=(.*)$/.exec(word) ?? (index === 0 ? [word, 'file', word] : []);
    if (key === '') refuse(word, 'value without key, but schema does not define a default key');
    if (options.has(key)) refuse(key, 'duplicate key in comma-separated list property');
    if (![...common, ...ofBus[bus]].includes(key)) {
      refuse(key, 'property is not defined in schema and the schema does not allow additional properties');
    }
    if (legalValues[key]?.test(value) === false) refuse(key, `value '${value}' does not have a value in the enumeration`);
    if (key === 'serial' && value.length > 20) refuse(key, 'serials can have 20 bytes at most');
    options.set(key, value);
  }
  if (!options.has('file')) refuse('file', 'property is missing and it is not optional');
  return options;
}

export function printDrive(options: ReadonlyMap<string, string>): string {
  const rest = [...options].filter(([key]) => key !== 'file').sort(([one], [other]) => (one < other ? -1 : 1));
  return [options.get('file') ?? '', ...rest.map(([key, value]) => `${key}=${value}`)].join(',');
}

/** In the largest unit that leaves no rest. */
export function formatSize(bytes: number): string {
  let [size, unit] = [bytes, ''];
  for (const next of ['K', 'M', 'G', 'T']) {
    if (size % 1024 !== 0) break;
    [size, unit] = [size / 1024, next];
  }
  return `${size}${unit}`;
}
