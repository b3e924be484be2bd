import {
  type Call,
  type ConnectionRequest,
  type ConnectRequest,
  type Initiator,
  type Instance,
  isVbsError,
  type Lifecycle,
  type NodeConnection,
  OneAtATime,
  VbsError,
} from '@vbs/core';
import { checkNode } from './check.js';
import type { commands } from './commands.js';
import type { IscsiConfig } from './config.js';
import { findDevice } from './find-device.js';
import { parseInitiatorName } from './initiator-name.js';
import { listConnections } from './list-connections.js';
import { type FoundSession, login, quietly, sessionOf } from './login.js';
import { linksOf, type Wanted, wantedOf } from './names.js';
import { NodeRecords } from './node-records.js';
import { release } from './release.js';
import { settingsOf } from './settings.js';
import { stableLink } from './stable-link.js';
import { Sysfs } from './sysfs.js';
import { Tools } from './tools.js';
import { seeGrowth, verifyDevice } from './verify-device.js';

type Contract = Initiator<'extend', 'iscsi'> & Lifecycle<'extend'>;

/** Brings iSCSI exports to block devices of a node, by open-iscsi: a static node record, one session for each target, disks by hand. */
export class IscsiInitiator implements Contract {
  readonly #tools: Tools;
  readonly #sysfs: Sysfs;
  readonly #records: NodeRecords;
  readonly #turns = new OneAtATime();

  constructor({ machine, config, commands: runner }: Instance<IscsiConfig, 'any', typeof commands>) {
    this.#tools = new Tools(machine, settingsOf(config), runner);
    this.#sysfs = new Sysfs(machine);
    this.#records = new NodeRecords(this.#tools);
  }

  /** @throws FAILED_PRECONDITION: the node has no InitiatorName. NOT_FOUND: open-iscsi is not installed. */
  async getIdentity(call: Call): Promise<{ readonly initiators: readonly string[] }> {
    const { initiatorNameFile } = this.#tools.settings;
    return { initiators: [parseInitiatorName(await this.#tools.readFile(call, initiatorNameFile), initiatorNameFile)] };
  }

  async connect(call: Call, request: ConnectRequest<'iscsi'>): Promise<NodeConnection<'iscsi'>> {
    const { connection, attachmentId } = request;
    const wanted = wantedOf(attachmentId, connection);
    const devicePath = await this.#alone(call, wanted, async () => {
      const { chap } = connection;
      const more = [...this.#records.paths(wanted), ...linksOf(wanted)];
      const seen = await this.#sysfs.ofTarget(call, wanted.iqn, { more });
      const known = await sessionOf(call, this.#parts, wanted, chap, seen);
      try {
        return await this.#bringDevice(call, known ?? (await login(call, this.#parts, wanted, chap, seen)), wanted, request);
      } catch (error) {
        await this.#undo(call, wanted, known === undefined, error);
        throw error;
      }
    });
    const { chap: _chap, ...shown } = connection;
    return { connection: shown, devicePath, sizeBytes: request.sizeBytes };
  }

  async disconnect(call: Call, { attachmentId, connection }: ConnectionRequest<'iscsi'>): Promise<void> {
    const wanted = wantedOf(attachmentId, connection);
    await this.#alone(call, wanted, () => release(call, this.#parts, wanted));
  }

  async listConnections(call: Call): Promise<readonly NodeConnection<'iscsi'>[]> {
    return await listConnections(call, this.#sysfs);
  }

  /** @throws NOT_FOUND: it is not connected. UNAVAILABLE: the target does not show the new size. */
  async extendConnection(
    call: Call,
    { attachmentId, connection, sizeBytes }: ConnectionRequest<'iscsi'> & { readonly sizeBytes: number },
  ): Promise<{ readonly sizeBytes: number }> {
    const wanted = wantedOf(attachmentId, connection);
    return await this.#alone(call, wanted, async () => {
      const seen = await this.#sysfs.ofTarget(call, wanted.iqn);
      const [session] = seen.sessionsOf(wanted.iqn);
      const lun = session === undefined ? undefined : seen.lun(session, wanted.lun);
      if (session === undefined || lun?.disk === undefined) {
        throw new VbsError('NOT_FOUND', `This node is not connected to ${connection.key}.`, { resource: attachmentId });
      }
      const before = seen.sizeBytes(lun);
      if (before !== undefined && before >= sizeBytes) return { sizeBytes: before };
      const disk = { ...lun, disk: lun.disk };
      const found = await seeGrowth(call, this.#parts, session, disk, { attachmentId, sizeBytes });
      if (found !== undefined && found >= sizeBytes) return { sizeBytes: found };
      const message = `${connection.key} still shows ${found ?? 'no'} bytes, not ${sizeBytes}: has its target seen the volume grow?`;
      throw new VbsError('UNAVAILABLE', message, { resource: attachmentId, context: { sizeBytes: found ?? null } });
    });
  }

  async check(call: Call): Promise<readonly string[]> {
    return await checkNode(call, this.#tools);
  }

  get #parts() {
    return { tools: this.#tools, sysfs: this.#sysfs, records: this.#records };
  }

  async #bringDevice(call: Call, { session, seen }: FoundSession, wanted: Wanted, request: ConnectRequest<'iscsi'>): Promise<string> {
    const found = await findDevice(call, this.#tools, this.#sysfs, session, wanted, seen);
    await verifyDevice(call, this.#parts, session, found, request);
    const portal = found.seen.portal(session);
    if (portal !== undefined) return await stableLink(call, this.#tools, found, portal, wanted);
    throw new VbsError('UNAVAILABLE', `The session of ${wanted.iqn} has ended while its disk was looked for.`, {
      resource: wanted.attachmentId,
    });
  }

  /**
   * A device that is not the volume goes again, whoever connected it, and so does what this call began and could not end: no list
   * shows a session without its disk. Under a call that was given up nothing more is begun.
   */
  async #undo(call: Call, wanted: Wanted, isNew: boolean, error: unknown): Promise<void> {
    const reason = isVbsError(error) ? error.context.reason : undefined;
    if (reason === 'login-refused') return;
    if (reason === 'wrong-device') return await release(call, this.#parts, wanted);
    if (isNew && !call.signal.aborted) await quietly(call, `the login to ${wanted.iqn}`, () => release(call, this.#parts, wanted));
  }

  /**
   * One change of a target's session at a time. A call that was cancelled between two commands has not left everything as it was (safety
   * A1), though the command that it met had not begun.
   */
  #alone<T>(call: Call, { iqn, attachmentId }: Wanted, act: () => Promise<T>): Promise<T> {
    return this.#turns.run(iqn, async () => {
      try {
        return await act();
      } catch (error) {
        if (!isVbsError(error) || error.code !== 'ABORTED' || !this.#tools.hasChanged(call)) throw error;
        throw new VbsError('DEADLINE_EXCEEDED', `${attachmentId} was changed in part: ${error.message}`, {
          resource: attachmentId,
          context: error.context,
          cause: error,
        });
      }
    });
  }
}
