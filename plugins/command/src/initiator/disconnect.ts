import { type Call, VbsError } from '@vbs/core';
import { poll } from '../rules/poll.js';
import { throwIfAborted, type WantedConnection } from './iscsi.js';
import type { ConnectedDisk, Parts } from './parts.js';
import { requireAlone } from './require-alone.js';

/** udev opens a disk for a moment whenever its writer closes it. */
const passingLimitMs = 3_000;

/**
 * Flushes and ends a connection over every way, also where no disk is listed: a session may have none yet.
 *
 * @throws FAILED_PRECONDITION: something of the node holds the disk, or another connection shares its session. DEADLINE_EXCEEDED: it is
 * still listed.
 */
export async function disconnect(call: Call, parts: Parts, wanted: WantedConnection): Promise<void> {
  const { disk, all } = await parts.listed(call, wanted);
  requireAlone(all, wanted);
  await requireFree(call, parts, all, wanted);
  const { attachmentId, ways } = wanted;
  const onDisk = disk === undefined ? {} : { disk: disk.disk, device: disk.devicePath };
  try {
    for (const [index, way] of ways.entries()) await parts.run(call, 'disconnect', index === 0 ? { ...way, ...onDisk } : way, attachmentId);
    await gone(call, parts, wanted, disk);
  } catch (error) {
    throw parts.tools.honest(call, attachmentId, error);
  }
}

/** As {@link disconnect}, after what could not be used: what one command leaves the next may still take away. */
export async function clearAway(call: Call, parts: Parts, wanted: WantedConnection): Promise<void> {
  const { attachmentId, ways } = wanted;
  const { disk, all } = await parts.listed(call, wanted);
  requireAlone(all, wanted);
  await requireFree(call, parts, all, wanted);
  const onDisk = disk === undefined ? {} : { disk: disk.disk, device: disk.devicePath };
  const failures: VbsError[] = [];
  for (const [index, way] of ways.entries()) {
    await parts.run(call, 'disconnect', index === 0 ? { ...way, ...onDisk } : way, attachmentId, (error) => failures.push(error));
  }
  await gone(call, parts, wanted, disk);
  const [failure] = failures;
  if (failure !== undefined) throw failure;
}

async function gone(call: Call, parts: Parts, wanted: WantedConnection, before: ConnectedDisk | undefined): Promise<void> {
  const { attachmentId, connection } = wanted;
  const limitMs = parts.rules.deviceTimeoutMs;
  const isGone = await poll(call, limitMs, async () => ((await parts.listed(call, wanted)).disk === undefined ? true : undefined));
  throwIfAborted(call, `${connection.key} was given up before its disk had gone.`, attachmentId);
  if (isGone === undefined) {
    throw new VbsError(
      'DEADLINE_EXCEEDED',
      `The commands of disconnect have ended, and ${connection.key} is still listed after ${limitMs / 1000} s.`,
      {
        resource: attachmentId,
        context: { key: connection.key, limitMs },
      },
    );
  }
  // A link that outlives its disk would soon lead to another's.
  if (before !== undefined) await parts.machine.waitForPath(call, before.devicePath, 'absent', { timeLimitMs: limitMs });
}

/** @throws FAILED_PRECONDITION: something of this node holds a disk of the connection (`context.holders`). */
async function requireFree(
  call: Call,
  { rules, tools }: Parts,
  all: readonly ConnectedDisk[],
  { connection, attachmentId }: WantedConnection,
): Promise<void> {
  for (const { disk, devicePath } of all.filter((one) => one.connection.key === connection.key)) {
    let holders: readonly string[] = [];
    await poll(call, passingLimitMs, async () => {
      const values = { disk, device: devicePath };
      const told = await Promise.all(rules.holders.map((rule, index) => tools.read(call, `holders ${index}`, rule, values)));
      holders = [...new Set(told.flat().map(({ holder = '' }) => holder))];
      return holders.length === 0 ? true : undefined;
    });
    if (holders.length === 0) continue;
    const message = `${devicePath} (${disk}) is held by ${holders.slice(0, 10).join(', ')}: end that, and disconnect again.`;
    throw new VbsError('FAILED_PRECONDITION', message, {
      resource: attachmentId,
      context: { reason: 'held', device: devicePath, holders: holders.slice(0, 50) },
    });
  }
}
