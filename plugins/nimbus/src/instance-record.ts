import { VbsError } from '@vbs/core';

/** An instance as Nimbus tells of it. */
export interface InstanceRecord {
  /** Nimbus's own number. */
  readonly managerId: string;
  /** Empty: it is on no host yet. */
  readonly node: string;
  readonly state: string;
}

/** What VBS may do with an instance in a state, in lower case; workspace states and those of the EC2 face. */
const meanings: Readonly<Record<string, 'placed' | 'not placed' | 'terminated'>> = {
  running: 'placed',
  paused: 'placed',
  pending: 'not placed',
  unstaged: 'not placed',
  unpropagated: 'not placed',
  propagated: 'not placed',
  'shutting-down': 'terminated',
  cancelled: 'terminated',
  terminated: 'terminated',
};

const hostName = /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;
const number = /^[0-9]{1,18}$/;

/** @throws INTERNAL: a record is not as Nimbus writes it. */
export function requireRecord(record: InstanceRecord, told: string): InstanceRecord {
  const fault = !number.test(record.managerId)
    ? `the id ${JSON.stringify(record.managerId.slice(0, 80))}`
    : record.node !== '' && !hostName.test(record.node)
      ? `the node ${JSON.stringify(record.node.slice(0, 80))}`
      : undefined;
  if (fault === undefined) return record;
  throw new VbsError('INTERNAL', `${told} has ${fault}, which is none.`, { context: { managerId: record.managerId.slice(0, 80) } });
}

/** Whether the instance is on a host, with a VM that takes disks. */
export function isPlaced({ node, state }: InstanceRecord): boolean {
  return node !== '' && meanings[state.toLowerCase()] === 'placed';
}

/** @throws NOT_FOUND: it was terminated. FAILED_PRECONDITION: it is on no host, or in a state in which it takes no disks. */
export function requirePlaced(instanceId: string, record: InstanceRecord): void {
  if (isPlaced(record)) return;
  const { state } = record;
  if (meanings[state.toLowerCase()] === 'terminated') throw terminated(instanceId);
  const message = `Instance ${instanceId} is in the state ${state === '' ? '(none)' : state}${record.node === '' ? ', and on no host yet' : ''}: try again when it runs.`;
  throw new VbsError('FAILED_PRECONDITION', message, { resource: instanceId, context: { field: 'instanceId', state } });
}

export function unknown(instanceId: string): VbsError {
  return notFound(instanceId, 'unknown', 'Nimbus knows no such instance');
}

export function terminated(instanceId: string): VbsError {
  return notFound(instanceId, 'terminated', 'it was terminated');
}

function notFound(instanceId: string, reason: 'unknown' | 'terminated', why: string): VbsError {
  return new VbsError('NOT_FOUND', `There is no instance ${JSON.stringify(instanceId.slice(0, 80))}: ${why}.`, {
    resource: instanceId,
    context: { field: 'instanceId', reason },
  });
}
