import { type Call, type Machine, unlessCode, VbsError } from '@vbs/core';
import { type IetSession, parseSessions } from './parse-sessions.js';
import { type IetTarget, parseVolumes } from './parse-volumes.js';

export interface SeenTarget extends IetTarget {
  readonly sessions: readonly IetSession[];
}

/** ietd's control socket, which the kernel forgets when ietd ends; the targets that the kernel tells outlive it. */
const controlSocket = '@IET_ABSTRACT_NAMESPACE';
const mostBytes = 64 * 1024 * 1024;

/** What IET has, as the kernel tells it. Nothing is run for it. */
export class Proc {
  constructor(private readonly machine: Machine) {}

  /** Every target, of whomever. @throws UNAVAILABLE: the kernel module is not loaded, or ietd does not run. */
  async targets(call: Call): Promise<readonly SeenTarget[]> {
    const [volumes, sessions, sockets] = await Promise.all([
      this.#read(call, '/proc/net/iet/volume'),
      this.#read(call, '/proc/net/iet/session'),
      this.#read(call, '/proc/net/unix'),
    ]);
    if (volumes === undefined || sessions === undefined) throw notLoaded();
    if (sockets?.includes(controlSocket) !== true) {
      throw new VbsError('UNAVAILABLE', 'ietd does not run: nobody can log in, and what the kernel still has says nothing. Start ietd.');
    }
    const bySid = parseSessions(sessions);
    return parseVolumes(volumes).map((target) => ({ ...target, sessions: bySid.get(target.tid) ?? [] }));
  }

  /** The targets alone, once ietd was seen. @throws UNAVAILABLE: the kernel module is not loaded any more. */
  async volumes(call: Call): Promise<readonly IetTarget[]> {
    const text = await this.#read(call, '/proc/net/iet/volume');
    if (text === undefined) throw notLoaded();
    return parseVolumes(text);
  }

  async #read(call: Call, path: string): Promise<string | undefined> {
    return await unlessCode('NOT_FOUND', this.machine.readFile(call, path, { maxBytes: mostBytes }));
  }
}

function notLoaded(): VbsError {
  return new VbsError(
    'UNAVAILABLE',
    'There is no /proc/net/iet: the kernel module iscsi_trgt is not loaded. Start the iSCSI Enterprise Target.',
  );
}
