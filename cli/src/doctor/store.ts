import type { Client } from '../client/client.js';
import { humanSize } from '../output/sizes.js';
import { type Finding, fault, note, ok } from './finding.js';

/** Of a pool's size; below it new volumes may soon find no room. */
const littleRoom = 0.05;
/** Below it the guests' next writes, and the bookkeeping where it lies on the same disk, fail. */
const noRoomBytes = 16 * 1024 * 1024;

/** What the store itself says: instances with their tools and daemons, pools, routes, operations that hang. */
export async function checkStore(client: Client, signal: AbortSignal): Promise<readonly Finding[]> {
  return [
    ...(await checkInstances(client, signal)),
    ...(await checkPools(client, signal)),
    ...(await checkRoutes(client, signal)),
    ...(await checkOperations(client, signal)),
  ];
}

async function checkInstances(client: Client, signal: AbortSignal): Promise<readonly Finding[]> {
  return (await client.checks(signal)).flatMap(({ instance, faults }) =>
    faults.length === 0
      ? [ok(instance, 'has all that it needs')]
      : faults.map((one) => fault(instance, one, 'do what the sentence says, then run doctor again')),
  );
}

async function checkPools(client: Client, signal: AbortSignal): Promise<readonly Finding[]> {
  return (await client.pools(signal)).map(({ backend, capacity, fault: reason }) => {
    const check = `pool ${backend}`;
    if (capacity === null) return fault(check, reason ?? 'does not answer', 'see that its disk is mounted and its daemon runs');
    const { availableBytes, totalBytes } = capacity;
    const room = `${humanSize(availableBytes)} of ${humanSize(totalBytes)} are free`;
    if (availableBytes >= totalBytes * littleRoom) return ok(check, room);
    const todo = 'delete volumes and snapshots that nobody needs, or give it more room';
    return availableBytes < Math.min(noRoomBytes, totalBytes * littleRoom) ? fault(check, room, todo) : note(check, room, todo);
  });
}

async function checkRoutes(client: Client, signal: AbortSignal): Promise<readonly Finding[]> {
  const routes = await client.routes(signal);
  const reached = new Set(routes.filter(({ exporter }) => exporter !== null).map(({ vmmHost }) => vmmHost));
  return routes.map(({ backend, vmmHost, exporter, initiator, reason }) => {
    const check = `route ${backend} to ${vmmHost}`;
    if (exporter !== null) return ok(check, `by ${exporter} and ${initiator ?? 'the hypervisor itself'}`);
    const why = reason ?? 'there is none';
    if (reached.has(vmmHost)) return note(check, why);
    return fault(check, why, 'configure an exporter of the volume server and an initiator of the node for one protocol');
  });
}

async function checkOperations(client: Client, signal: AbortSignal): Promise<readonly Finding[]> {
  const { items } = await client.list('operations', { state: 'stuck', limit: 100 }, signal);
  if (items.length === 0) return [ok('operations', 'none is stuck')];
  return items.map(({ id, kind, resourceId, reason, error }) =>
    fault(
      `operation ${id}`,
      `${kind} of ${resourceId} is stuck: ${reason ?? error?.message ?? 'see its journal'}`,
      `mend the cause, then vbs operations retry ${id}`,
    ),
  );
}
