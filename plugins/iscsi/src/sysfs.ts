import { type Call, Look, type Machine } from '@vbs/core';
import type { Portal } from './names.js';

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

const namesOfAll = `${sessionsFolder}/session*/targetname`;
const folderOf = (sid: number): string => `${sessionsFolder}/session${sid}`;
const nameOf = (sid: number): string => `${folderOf(sid)}/targetname`;
/** Names alone: with hundreds of sessions none is looked at more closely than it must be. */
const foldersOfAll = `${sessionsFolder}/session*/`;
const hostOf = (sid: number): string => `${folderOf(sid)}/device/../scsi_host/host*/`;

/** Patterns of the portal of one session, or of each (`*`), and of its disks: a folder before what is in it, since both may come meanwhile. */
function portalAndDisks(sid: number | '*'): string[] {
  const connection = `/sys/class/iscsi_connection/connection${sid}:0`;
  const lun = `${sessionsFolder}/session${sid}/device/target*/*:*`;
  const disk = `${lun}/block/*`;
  return [`${connection}/persistent_address`, `${connection}/persistent_port`, lun, disk, `${disk}/size`, `${disk}/ro`, `${lun}/vpd_pg80`];
}

function details(sid: number): string[] {
  return [nameOf(sid), `${folderOf(sid)}/state`, ...portalAndDisks(sid)];
}

/** Patterns of who holds a disk of a session in the kernel, or a partition of one. */
function holderPatterns(sid: number): string[] {
  const disk = `${sessionsFolder}/session${sid}/device/target*/*:*/block/*`;
  return [`${disk}/dev`, `${disk}/holders/*`, `${disk}/*/dev`, `${disk}/*/holders/*`];
}

/** What sysfs said of sessions, portals and logical units at one look. */
export class Seen {
  constructor(readonly look: Look) {}

  sessions(): Session[] {
    return this.look.matching(namesOfAll).flatMap(({ path, parts: [digits] }): Session[] => {
      const iqn = this.#text(path);
      return iqn === undefined || !/^\d+$/.test(digits ?? '') ? [] : [{ sid: Number(digits), iqn }];
    });
  }

  sessionsOf(iqn: string): Session[] {
    return this.sessions().filter((session) => session.iqn === iqn);
  }

  isThere({ sid }: Session): boolean {
    return this.look.has(folderOf(sid));
  }

  /** LOGGED_IN, FAILED (the target does not answer for now) or FREE; undefined where the session is gone. */
  state({ sid }: Session): string | undefined {
    return this.#text(`${folderOf(sid)}/state`);
  }

  /** As it was asked for at the login: udev's names hold it. */
  portal({ sid }: Session): Portal | undefined {
    const folder = `/sys/class/iscsi_connection/connection${sid}:0`;
    const [address, port] = [this.#text(`${folder}/persistent_address`), this.#text(`${folder}/persistent_port`)];
    return address === undefined || port === undefined ? undefined : { address, port: Number(port) };
  }

  /** The number of the SCSI host; undefined where it was not looked for, or the session is gone. */
  host({ sid }: Session): number | undefined {
    const [found] = this.look.matching(hostOf(sid));
    return found === undefined ? undefined : Number(found.parts[0]);
  }

  luns({ sid }: Session): Lun[] {
    return this.look.matching(`${sessionsFolder}/session${sid}/device/target*/*:*`).flatMap(({ path }): Lun[] => {
      const address = path.slice(path.lastIndexOf('/') + 1);
      if (!/^\d+:\d+:\d+:\d+$/.test(address)) return [];
      const [disk] = this.look.matching(`${path}/block/*`).map(({ parts }) => parts[0]);
      return [{ lun: Number(address.split(':')[3]), address, path, disk }];
    });
  }

  lun(session: Session, lun: number): Lun | undefined {
    return this.luns(session).find((found) => found.lun === lun);
  }

  sizeBytes(lun: Lun): number | undefined {
    const sectors = this.#text(`${diskFolder(lun)}/size`);
    return sectors === undefined ? undefined : Number(sectors) * 512;
  }

  isReadOnly(lun: Lun): boolean {
    return this.#text(`${diskFolder(lun)}/ro`) === '1';
  }

  /**
   * The unit serial number, of VPD page 0x80 (SPC-4, 7.8.15); undefined where the disk has none. The page has four bytes before it, and
   * each of those comes as one character, whether it is one of UTF-8 or not.
   */
  serial({ path }: Lun): string | undefined {
    const page = this.look.text(`${path}/vpd_pg80`);
    const serial = [...(page ?? '')].slice(4).join('').replace(/\0/g, '').trim();
    return serial === '' ? undefined : serial;
  }

  #text(path: string): string | undefined {
    return this.look.text(path)?.trim();
  }
}

/** The folder of a disk under its logical unit. */
export function diskFolder({ path, disk }: Lun): string {
  return `${path}/block/${disk}`;
}

const bootIdFile = '/proc/sys/kernel/random/boot_id';
/** So many sessions that are not known yet are looked at without asking first whose they are. */
const fewUnknown = 8;
const mostNamed = 64;
/** A session that was just made has one of so many numbers above those that were seen. */
const nextSids = 8;

/**
 * Sessions, portals and logical units as the kernel tells them in sysfs, without a command, and many at one look. Of which target a
 * session is never changes, and is not read again: with hundreds of sessions each call looks at its own alone.
 */
export class Sysfs {
  readonly #names = new Map<number, string>();
  #bootId: string | undefined;
  #highest = 0;

  constructor(private readonly machine: Machine) {}

  /** Every session with its portal and its disks. */
  async all(call: Call): Promise<Seen> {
    return new Seen(await this.machine.look(call, [namesOfAll, ...portalAndDisks('*')]));
  }

  /** The sessions of a target, and all of them but their hosts; `holders`: who holds their disks too; `more`: other paths. */
  async ofTarget(call: Call, iqn: string, options: { readonly more?: readonly string[]; readonly holders?: boolean } = {}): Promise<Seen> {
    const { more = [], holders = false } = options;
    const patternsOf = (sid: number): string[] => [...details(sid), ...(holders ? holderPatterns(sid) : [])];
    const likely = this.#ofName(iqn);
    let look = await this.machine.look(call, [bootIdFile, foldersOfAll, ...likely.flatMap(patternsOf), ...more]);
    if (this.#isAnotherBoot(look) && likely.length > 0) return await this.ofTarget(call, iqn, options);
    const unknown = this.#unknownOf(look);
    const isFew = unknown.length <= fewUnknown;
    if (unknown.length > 0) {
      const names = unknown.length <= mostNamed ? unknown.map(nameOf) : [namesOfAll];
      look = merged(look, await this.machine.look(call, isFew ? unknown.flatMap(patternsOf) : names));
      this.#note(look);
    }
    const unseen = this.#ofName(iqn).filter((sid) => !likely.includes(sid) && !(isFew && unknown.includes(sid)));
    if (unseen.length > 0) look = merged(look, await this.machine.look(call, unseen.flatMap(patternsOf)));
    return new Seen(look);
  }

  /** The session of a target that was just logged in to, with its host. */
  async afterLogin(call: Call, iqn: string): Promise<Seen> {
    const next = Array.from({ length: nextSids }, (_, index) => this.#highest + 1 + index);
    const look = await this.machine.look(
      call,
      next.flatMap((sid) => [nameOf(sid), hostOf(sid)]),
    );
    this.#note(look);
    const seen = new Seen(look);
    return seen.sessionsOf(iqn).length > 0 ? seen : await this.ofTarget(call, iqn);
  }

  /** One session, without its host; `more`: other paths. */
  async of(call: Call, { sid }: Session, more: readonly string[] = []): Promise<Seen> {
    return new Seen(await this.machine.look(call, [folderOf(sid), ...details(sid), ...more]));
  }

  async host(call: Call, session: Session): Promise<number | undefined> {
    return new Seen(await this.machine.look(call, [hostOf(session.sid)])).host(session);
  }

  /** After what is known of sessions turned out to be of another time (the kernel module was loaded anew). */
  forget(): void {
    this.#names.clear();
    this.#highest = 0;
  }

  #ofName(iqn: string): readonly number[] {
    return [...this.#names].flatMap(([sid, name]) => (name === iqn ? [sid] : []));
  }

  /** Numbers of sessions begin anew with a boot. */
  #isAnotherBoot(look: Look): boolean {
    const bootId = look.text(bootIdFile);
    const isAnother = this.#bootId !== bootId;
    if (isAnother) this.forget();
    this.#bootId = bootId;
    return isAnother;
  }

  /** Takes what a look tells of names, and forgets sessions that are not there; answers those whose target is not known. */
  #unknownOf(look: Look): readonly number[] {
    const sids = look
      .matching(`${sessionsFolder}/session*`)
      .flatMap(({ parts: [digits = ''] }) => (/^\d+$/.test(digits) ? [Number(digits)] : []));
    const there = new Set(sids);
    for (const sid of this.#names.keys()) if (!there.has(sid)) this.#names.delete(sid);
    this.#note(look);
    return sids.filter((sid) => !this.#names.has(sid));
  }

  #note(look: Look): void {
    for (const { sid, iqn } of new Seen(look).sessions()) {
      this.#names.set(sid, iqn);
      this.#highest = Math.max(this.#highest, sid);
    }
  }
}

function merged(first: Look, second: Look): Look {
  return new Look([...first.entries(), ...second.entries()]);
}
