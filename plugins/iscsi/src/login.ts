import { type Call, type ChapCredentials, isVbsError, toVbsError, VbsError } from '@vbs/core';
import { despiteOthers } from './despite-others.js';
import { type Portal, portalText, type Wanted } from './names.js';
import type { NodeRecords } from './node-records.js';
import { poll } from './poll.js';
import type { Seen, Session, Sysfs } from './sysfs.js';
import type { Tools } from './tools.js';

const sessionExists = 15;
const sessionLimitMs = 5_000;
const recoveryLimitMs = 10_000;

interface Parts {
  readonly tools: Tools;
  readonly sysfs: Sysfs;
  readonly records: NodeRecords;
}

/** A session, and what was told of it, or of all sessions, at last. */
export interface FoundSession {
  readonly session: Session;
  readonly seen: Seen;
}

/**
 * The session that this node has of a target, when it works; undefined where it has none.
 * @throws UNAVAILABLE: its target does not answer.
 */
export async function sessionOf(
  call: Call,
  parts: Parts,
  wanted: Wanted,
  chap: ChapCredentials | undefined,
  seen: Seen,
): Promise<FoundSession | undefined> {
  const [session] = seen.sessionsOf(wanted.iqn);
  if (session === undefined) return undefined;
  const portal = seen.portal(session);
  // Without its record iscsid could not log in again after its own restart.
  if (portal !== undefined) await parts.records.ensure(call, wanted, portal, chap, seen.look);
  return { session, seen: await whenLoggedIn(call, parts, session, wanted, seen) };
}

/**
 * A new session, by the first portal that answers; `seen` is from before.
 * @throws PERMISSION_DENIED: the target refuses this node. UNAVAILABLE: no portal answers. Nothing is left of what was refused.
 */
export async function login(
  call: Call,
  parts: Parts,
  wanted: Wanted,
  chap: ChapCredentials | undefined,
  seen: Seen,
): Promise<FoundSession> {
  const failures: VbsError[] = [];
  for (const portal of wanted.portals) {
    await parts.records.ensure(call, wanted, portal, chap, seen.look);
    try {
      return await loginBy(call, parts, wanted, portal);
    } catch (error) {
      if (!isVbsError(error) || !isAnswer(error)) throw error;
      await parts.records.remove(call, { ...wanted, portals: [portal] });
      if (error.code !== 'UNAVAILABLE') throw withResource(error, wanted, portal);
      failures.push(withResource(error, wanted, portal));
    }
  }
  const [first] = failures;
  if (first === undefined || failures.length === 1) throw first ?? new TypeError('a connection has no portal');
  throw new VbsError('UNAVAILABLE', `No portal of ${wanted.iqn} answers: ${failures.map(({ message }) => message).join('; ')}`, {
    resource: wanted.attachmentId,
    context: { reason: 'login-refused', portals: wanted.portals.map(portalText) },
    cause: first,
  });
}

async function loginBy(call: Call, { tools, sysfs }: Parts, { iqn, attachmentId }: Wanted, portal: Portal): Promise<FoundSession> {
  const options = { guard: attachmentId, timeLimitMs: tools.settings.loginLimitMs, okExitCodes: [0, sessionExists] };
  const act = async (): Promise<void> => {
    const { exitCode } = await tools.run(call, 'login', { iqn, portal: portalText(portal) }, options);
    if (exitCode === sessionExists) sysfs.forget();
  };
  await despiteOthers(call, act, async () => (await sysfs.ofTarget(call, iqn)).sessionsOf(iqn).length > 0);
  const found = await poll(call, sessionLimitMs, async (): Promise<FoundSession | undefined> => {
    const seen = await sysfs.afterLogin(call, iqn);
    const [session] = seen.sessionsOf(iqn);
    return session === undefined ? undefined : { session, seen };
  });
  if (found !== undefined) return found;
  throw new VbsError('DEADLINE_EXCEEDED', `iscsiadm logged in to ${iqn}, and no session of it is in sysfs.`, { resource: attachmentId });
}

/** Whether iscsid itself said that there is no session: nothing of the login is still to come. */
function isAnswer({ code, context }: VbsError): boolean {
  return (code === 'UNAVAILABLE' || code === 'PERMISSION_DENIED' || code === 'FAILED_PRECONDITION') && typeof context.exitCode === 'number';
}

function withResource(error: VbsError, { attachmentId, iqn }: Wanted, portal: Portal): VbsError {
  return new VbsError(error.code, `${iqn} at ${portalText(portal)}: ${error.message}`, {
    resource: attachmentId,
    context: { ...error.context, reason: 'login-refused' },
    cause: error,
  });
}

/** A session whose target was away comes back by itself, when iscsid finds the target again. */
async function whenLoggedIn(call: Call, { sysfs }: Parts, session: Session, { iqn, attachmentId }: Wanted, seen: Seen): Promise<Seen> {
  const isLoggedIn = (now: Seen): boolean => now.state(session) === 'LOGGED_IN';
  if (isLoggedIn(seen)) return seen;
  let last = seen;
  await poll(call, recoveryLimitMs, async () => {
    last = await sysfs.ofTarget(call, iqn);
    return isLoggedIn(last) ? true : undefined;
  });
  if (isLoggedIn(last)) return last;
  const state = last.state(session);
  const message = `The session of ${iqn} is ${state ?? 'gone'}: its target does not answer. iscsid goes on trying.`;
  throw new VbsError('UNAVAILABLE', message, { resource: attachmentId, context: { state: state ?? null } });
}

/** For an undo beside the error that led to it. */
export async function quietly(call: Call, what: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    call.log.warn({ error: toVbsError(error).toJSON() }, `${what} was not undone`);
  }
}
