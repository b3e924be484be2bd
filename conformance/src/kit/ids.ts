import { randomBytes } from 'node:crypto';
import { type IdKind, idPrefixes } from '@vbs/core';

/** An id that nobody has used. */
export function newId(kind: IdKind): string {
  return `${idPrefixes[kind]}-${randomBytes(9).toString('hex').slice(0, 17)}`;
}

export function newStoreId(): string {
  return randomBytes(16).toString('hex');
}

/** Texts that are no id of the kind, each of which has led some tool or path astray. */
export function hostileIds(kind: IdKind): readonly string[] {
  const id = newId(kind);
  return [
    '',
    '.',
    '..',
    `../${id}`,
    `../../${id}`,
    `${id}/../../${id}`,
    `/${id}`,
    '/etc/passwd',
    `${id}/`,
    `${id}\0`,
    `${id}\n`,
    `${id} ${id}`,
    '-f',
    `--help=${id}`,
    '$(reboot)',
    `${id};reboot`,
    '%2e%2e%2f',
    `${id.slice(0, -1)}*`,
    id.toUpperCase(),
    'x'.repeat(5_000),
  ];
}
