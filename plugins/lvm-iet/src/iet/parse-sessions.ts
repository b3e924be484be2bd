import { parseTargetLine, strange } from './parse-volumes.js';

export interface IetConnection {
  readonly cid: number;
  readonly address: string;
  /** `active`, `closing` or `unknown`. */
  readonly state: string;
}

/** A session. Its `sid` has 64 bits, more than a number holds. */
export interface IetSession {
  readonly sid: string;
  readonly initiator: string;
  readonly connections: readonly IetConnection[];
}

/** The sessions of each target in /proc/net/iet/session, by target id. @throws INTERNAL: the text is not of this form. */
export function parseSessions(text: string): ReadonlyMap<number, readonly IetSession[]> {
  const byTarget = new Map<number, (IetSession & { readonly connections: IetConnection[] })[]>();
  let sessions: (IetSession & { readonly connections: IetConnection[] })[] | undefined;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const target = parseTargetLine(line);
    if (target !== undefined) {
      if (byTarget.has(target.tid)) throw strange('session', 'a target is told twice');
      sessions = [];
      byTarget.set(target.tid, sessions);
      continue;
    }
    const { sid, initiator } = /^\tsid:(?<sid>\d+) initiator:(?<initiator>.*)$/.exec(line)?.groups ?? {};
    if (sid !== undefined && initiator !== undefined && sessions !== undefined) {
      sessions.push({ sid, initiator, connections: [] });
      continue;
    }
    const { cid, address, state } = /^\t\tcid:(?<cid>\d+) ip:(?<address>\S+) state:(?<state>\S+) hd:\S+ dd:\S+$/.exec(line)?.groups ?? {};
    const session = sessions?.at(-1);
    if (cid === undefined || address === undefined || state === undefined || session === undefined) throw strange('session', line);
    session.connections.push({ cid: Number(cid), address, state });
  }
  return byTarget;
}
