import { VbsError } from '@vbs/core';
import type { VmOptions } from '../vm.js';
import { isRecord } from './credentials.js';

/** A VM's options as `GET …/pending` tells them: `{ key, value, pending, delete }`, each but the key where there is one. */
export function optionsOf(entries: unknown): VmOptions {
  if (!Array.isArray(entries)) throw new VbsError('INTERNAL', 'The pending changes of a VM were answered in a form that is not known.');
  const [current, next, leaving] = [new Map<string, string>(), new Map<string, string>(), new Set<string>()];
  for (const entry of entries as readonly unknown[]) {
    if (!isRecord(entry) || typeof entry.key !== 'string') continue;
    if (entry.value !== undefined) current.set(entry.key, String(entry.value));
    if (entry.pending !== undefined) next.set(entry.key, String(entry.pending));
    // 1, or 2 where the removal is forced.
    if (entry.delete !== undefined && Number(entry.delete) !== 0) leaving.add(entry.key);
  }
  return { current, next, leaving };
}
