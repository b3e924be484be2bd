import { type Call, type ChapCredentials, isVbsError, type Look, Secret, VbsError } from '@vbs/core';
import { despiteOthers } from './despite-others.js';
import { unlessGone } from './map-error.js';
import { type Portal, portalText, type Wanted } from './names.js';
import { hasSettings, isWholeRecord, withSettings } from './node-record.js';
import type { IscsiSettings } from './settings.js';
import type { Tools } from './tools.js';

const noObjects = 21;
const limitMs = 20_000;

/** The node records of open-iscsi: what iscsid needs to log in, and to log in again by itself. */
export class NodeRecords {
  constructor(private readonly tools: Tools) {}

  /** Paths of the records of a connection, and of all of a target, for a look that {@link ensure} and {@link remove} are given. */
  paths({ iqn, portals }: Wanted): readonly string[] {
    return portals.map((portal) => this.#path(iqn, portal));
  }

  patterns(iqn: string): readonly string[] {
    return [`${this.#folder(iqn)}/*`];
  }

  /**
   * The record of one portal as it must be, made or put right. The password goes into the file by standard input, since iscsiadm takes
   * it by its command line alone. The file is written in place: whatever lies beside it, iscsiadm takes for a second record.
   * @throws INVALID_ARGUMENT: open-iscsi cannot keep the credentials.
   */
  async ensure(call: Call, wanted: Wanted, portal: Portal, chap: ChapCredentials | undefined, seen: Look): Promise<void> {
    const { attachmentId, iqn } = wanted;
    const settings = recordSettings(this.tools.settings, chap);
    const path = this.#path(iqn, portal);
    const guard = { guard: attachmentId, timeLimitMs: limitMs };
    const isAmong = wanted.portals.some((known) => portalText(known) === portalText(portal));
    const found = isAmong ? await this.#seen(call, path, seen) : await unlessGone(this.tools.readFile(call, path));
    if (found !== undefined && isWholeRecord(found) && hasSettings(found, settings)) return;
    if (found === undefined || !isWholeRecord(found)) {
      // iscsiadm neither replaces nor deletes a record that a crash tore.
      if (found !== undefined) await this.tools.run(call, 'removeTornRecords', { path }, guard);
      await this.tools.run(call, 'createRecord', { iqn, portal: portalText(portal) }, guard);
    }
    const fresh = found !== undefined && isWholeRecord(found) ? found : await this.#fresh(call, wanted, portal);
    await this.tools.run(call, 'writeRecord', { path }, { ...guard, input: new Secret(withSettings(fresh, settings)) });
  }

  /** Removes the records of a target of which no session is left, by a look at them; the absent is success. */
  async remove(call: Call, { attachmentId, iqn, portals }: Wanted, seen?: Look): Promise<void> {
    const guard = { guard: attachmentId, timeLimitMs: limitMs };
    const look = (): Promise<Look> => this.tools.machine.look(call, this.patterns(iqn));
    for (const portal of this.#portals(seen ?? (await look()), iqn, portals)) {
      const text = portalText(portal);
      const act = async (): Promise<void> => {
        const options = { ...guard, okExitCodes: [0, noObjects] };
        const { exitCode } = await this.tools.run(call, 'deleteRecord', { iqn, portal: text }, options);
        if (exitCode === noObjects) await this.tools.run(call, 'removeTornRecords', { path: this.#folder(iqn) }, guard);
      };
      await despiteOthers(call, act, async () => !this.#portals(await look(), iqn, [portal]).some((left) => portalText(left) === text));
    }
  }

  /** Who may not look into the folder tries the portals of the connection. */
  #portals(look: Look, iqn: string, fallback: readonly Portal[]): readonly Portal[] {
    try {
      // `address,port` or, of a discovery, `address,port,group`.
      const portals = this.patterns(iqn).flatMap((pattern) =>
        look.matching(pattern).flatMap(({ path }): Portal[] => {
          const [, address, port] = /\/([^,/]+),(\d+)(?:,-?\d+)?$/.exec(path) ?? [];
          return address === undefined ? [] : [{ address, port: Number(port) }];
        }),
      );
      return [...new Map(portals.map((portal) => [portalText(portal), portal])).values()];
    } catch (error) {
      if (isVbsError(error) && error.code === 'PERMISSION_DENIED') return fallback;
      throw error;
    }
  }

  /** A file that may be root's alone, by a look at it. */
  async #seen(call: Call, path: string, look: Look): Promise<string | undefined> {
    try {
      return look.text(path);
    } catch (error) {
      if (!isVbsError(error) || error.code !== 'PERMISSION_DENIED') throw error;
      return await unlessGone(this.tools.readFile(call, path));
    }
  }

  async #fresh(call: Call, wanted: Wanted, portal: Portal): Promise<string> {
    const path = this.#path(wanted.iqn, portal);
    const text = await unlessGone(this.tools.readFile(call, path));
    if (text !== undefined && isWholeRecord(text)) return text;
    await this.remove(call, { ...wanted, portals: [portal] });
    const message = `iscsiadm made no node record ${path}: set "nodesDirectory" to the folder where it keeps them.`;
    throw new VbsError('FAILED_PRECONDITION', message, { context: { field: 'nodesDirectory', path } });
  }

  #folder(iqn: string): string {
    return `${this.tools.settings.nodesDirectory}/${iqn}`;
  }

  #path(iqn: string, { address, port }: Portal): string {
    return `${this.#folder(iqn)}/${address},${port}`;
  }
}

function recordSettings(
  { loginTimeoutSeconds, replacementTimeoutSeconds }: IscsiSettings,
  chap: ChapCredentials | undefined,
): Readonly<Record<string, string | undefined>> {
  return {
    // After a reboot VBS itself puts attachments back, when their exports are there again (safety F2).
    'node.startup': 'manual',
    'node.conn[0].startup': 'manual',
    // A scan of everything would bring back what another call has just taken away.
    'node.session.scan': 'manual',
    'node.session.nr_sessions': '1',
    'node.session.initial_login_retry_max': '1',
    'node.conn[0].timeo.login_timeout': String(loginTimeoutSeconds),
    'node.session.timeo.replacement_timeout': String(replacementTimeoutSeconds),
    'node.session.auth.authmethod': chap === undefined ? 'None' : 'CHAP',
    'node.session.auth.username': chap === undefined ? undefined : legal(chap.user, 'user'),
    'node.session.auth.password': chap === undefined ? undefined : legal(chap.password.reveal(), 'password'),
  };
}

/** Says nothing of the value itself. */
function legal(value: string, field: string): string {
  if (/^[\x21-\x7e]{1,255}$/.test(value)) return value;
  const message = `connection.chap.${field} must be 1 to 255 printable ASCII characters without blanks.`;
  throw new VbsError('INVALID_ARGUMENT', message, { context: { field: `connection.chap.${field}` } });
}
