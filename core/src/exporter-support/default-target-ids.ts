import { createHash } from 'node:crypto';

/** The target ids (tid) that an exporter may use, both ends included. */
export interface TargetIds {
  readonly first: number;
  readonly last: number;
}

const idsOfAnInstance = 4_096;
const highestId = 2 ** 31 - 1;

/**
 * The 4096 target ids of an instance that was given none, always the same for the same store and instance. They differ from server to
 * server: tgtd makes a disk's WWID of the target id and the LUN alone, so two that count from 1 would give different volumes the same
 * (safety E2), and an operator's own ids are seldom met.
 */
export function defaultTargetIds(storeId: string, instanceName: string): TargetIds {
  const digest = createHash('sha256').update(`${storeId}/${instanceName}`).digest().readUInt32BE(0);
  const block = 1 + (digest % (Math.floor(highestId / idsOfAnInstance) - 1));
  return { first: block * idsOfAnInstance, last: (block + 1) * idsOfAnInstance - 1 };
}
