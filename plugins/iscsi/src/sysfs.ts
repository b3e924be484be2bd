import type { Call, Machine } from '@vbs/core';
import { unlessGone } from './map-error.js';
import type { Portal } from './names.js';
import { sideBySide } from './side-by-side.js';

const sessionsFolder = '/sys/class/iscsi_session';

/** An iSCSI session of the node's kernel; its number is not given again as long as the kernel module is loaded. */
export interface Session {
  readonly sid: number;
  readonly iqn: string;
}

/** A logical unit of a session. */
export interface Lun {
  readonly lun: number;
  /** host:channel:target:lun */
  readonly address: string;
  /** Its folder under its session: unlike sdX and the address it never comes to mean another. */
  readonly path: string;
  /** `sda`; undefined where it is no disk, or is not ready. */
  readonly disk: string | undefined;
}

/** Sessions, portals and logical units as the kernel tells them in sysfs, without a command. */
export class Sysfs {
  readonly #names = new Map<number, string>();

  constructor(private readonly machine: Machine) {}

  async sessions(call: Call): Promise<Session[]> {
    const sids = await this.#sids(call);
    this.#names.clear();
    const found = await sideBySide(sids, async (sid): Promise<Session[]> => {
      const iqn = await this.#readName(call, sid);
      return iqn === undefined ? [] : [{ sid, iqn }];
    });
    return found.flat();
  }

  /** The sessions of one target. Names of sessions that were seen before are not read again; what is answered was. */
  async sessionsOf(call: Call, iqn: string): Promise<Session[]> {
    const sids = await this.#sids(call);
    for (const sid of this.#names.keys()) if (!sids.includes(sid)) this.#names.delete(sid);
    const unknown = sids.filter((sid) => !this.#names.has(sid));
    await sideBySide(unknown, (sid) => this.#readName(call, sid));
    const likely = sids.filter((sid) => this.#names.get(sid) === iqn);
    const found = await sideBySide(likely, async (sid) => {
      const isSo = unknown.includes(sid) || (await this.#readName(call, sid)) === iqn;
      return isSo ? [{ sid, iqn }] : [];
    });
    return found.flat();
  }

  /** After what is known of sessions turned out to be of another time (the kernel module was loaded anew). */
  forget(): void {
    this.#names.clear();
  }

  /** LOGGED_IN, FAILED (the target does not answer for now) or FREE; undefined where the session is gone. */
  async state(call: Call, { sid }: Session): Promise<string | undefined> {
    return this.#attribute(call, `${sessionsFolder}/session${sid}/state`);
  }

  /** As it was asked for at the login: udev's names hold it. */
  async portal(call: Call, { sid }: Session): Promise<Portal | undefined> {
    const folder = `/sys/class/iscsi_connection/connection${sid}:0`;
    const names = ['persistent_address', 'persistent_port'];
    const [address, port] = await Promise.all(names.map((name) => this.#attribute(call, `${folder}/${name}`)));
    return address === undefined || port === undefined ? undefined : { address, port: Number(port) };
  }

  /** `target2:0:0`; undefined until something of the session was scanned. */
  async target(call: Call, { sid }: Session): Promise<string | undefined> {
    return (await this.#list(call, `${sessionsFolder}/session${sid}/device`)).find((name) => /^target\d+:\d+:\d+$/.test(name));
  }

  async host(call: Call, session: Session): Promise<number | undefined> {
    const target = await this.target(call, session);
    if (target !== undefined) return Number(/\d+/.exec(target)?.[0]);
    for (const host of await this.#list(call, '/sys/class/iscsi_host')) {
      if ((await this.#list(call, `/sys/class/iscsi_host/${host}/device`)).includes(`session${session.sid}`)) {
        return Number(host.replace('host', ''));
      }
    }
    return undefined;
  }

  async luns(call: Call, session: Session): Promise<Lun[]> {
    const target = await this.target(call, session);
    if (target === undefined) return [];
    const folder = `${sessionsFolder}/session${session.sid}/device/${target}`;
    const addresses = (await this.#list(call, folder)).filter((name) => /^\d+:\d+:\d+:\d+$/.test(name));
    return await sideBySide(addresses, async (address): Promise<Lun> => {
      const path = `${folder}/${address}`;
      const [disk] = await this.#list(call, `${path}/block`);
      return { lun: Number(address.split(':')[3]), address, path, disk };
    });
  }

  /** The folder of a disk under its logical unit. */
  diskFolder({ path, disk }: Lun): string {
    return `${path}/block/${disk}`;
  }

  async sizeBytes(call: Call, lun: Lun): Promise<number | undefined> {
    const sectors = await this.#attribute(call, `${this.diskFolder(lun)}/size`);
    return sectors === undefined ? undefined : Number(sectors) * 512;
  }

  async isReadOnly(call: Call, lun: Lun): Promise<boolean> {
    return (await this.#attribute(call, `${this.diskFolder(lun)}/ro`)) === '1';
  }

  /**
   * The unit serial number, of VPD page 0x80 (SPC-4, 7.8.15); undefined where the disk has none. The page has four bytes before it, and
   * each of those comes as one character, whether it is one of UTF-8 or not.
   */
  async serial(call: Call, { path }: Lun): Promise<string | undefined> {
    const page = await unlessGone(this.machine.readFile(call, `${path}/vpd_pg80`));
    const serial = [...(page ?? '')].slice(4).join('').replace(/\0/g, '').trim();
    return serial === '' ? undefined : serial;
  }

  async isThere(call: Call, { path }: Lun): Promise<boolean> {
    return (await unlessGone(this.machine.listDirectory(call, path))) !== undefined;
  }

  async #sids(call: Call): Promise<number[]> {
    const names = await this.#list(call, sessionsFolder);
    return names.filter((name) => /^session\d+$/.test(name)).map((name) => Number(name.slice('session'.length)));
  }

  async #readName(call: Call, sid: number): Promise<string | undefined> {
    const iqn = await this.#attribute(call, `${sessionsFolder}/session${sid}/targetname`);
    if (iqn !== undefined) this.#names.set(sid, iqn);
    return iqn;
  }

  async #attribute(call: Call, path: string): Promise<string | undefined> {
    return (await unlessGone(this.machine.readFile(call, path)))?.trim();
  }

  async #list(call: Call, path: string): Promise<readonly string[]> {
    return (await unlessGone(this.machine.listDirectory(call, path))) ?? [];
  }
}
