import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type StandInTarget, sizeOf, type TargetLun } from './targets.js';

export interface KernelSession {
  readonly sid: number;
  readonly host: number;
  readonly target: StandInTarget;
  readonly address: string;
  readonly port: number;
  /** Ends it at the target. */
  readonly leave: () => void;
  readonly disks: Map<number, { readonly name: string; readonly lun: TargetLun }>;
}

const controllerLun = 0;

/** The kernel side: sessions and SCSI devices as trees of sysfs under `root`, disks as links in /dev, and udev's links by path. */
export class StandInKernel {
  readonly sessions = new Map<number, KernelSession>();
  /** How long udev takes to make a link, in milliseconds. */
  udevTakesMs = 0;
  #nextSid = 1;

  constructor(readonly root: string) {
    for (const folder of ['sys/class/iscsi_session', 'sys/class/iscsi_connection', 'sys/class/iscsi_host', 'sys/class/scsi_host']) {
      mkdirSync(join(root, folder), { recursive: true });
    }
    for (const folder of ['sys/class/iscsi_transport/tcp', 'sys/block', 'dev/disk/by-path', 'proc/self', 'proc/net', 'etc/iscsi/nodes']) {
      mkdirSync(join(root, folder), { recursive: true });
    }
    writeFileSync(join(root, 'proc/self/mountinfo'), '22 1 253:0 / / rw,relatime - ext4 /dev/vda rw\n');
    writeFileSync(join(root, 'proc/swaps'), 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n');
  }

  open({ manual, ...opened }: Omit<KernelSession, 'sid' | 'host' | 'disks'> & { readonly manual: boolean }): KernelSession {
    const { target, address, port } = opened;
    const sid = this.#nextSid++;
    const taken = new Set([...this.sessions.values()].map(({ host }) => host));
    const host = lowestFree(taken, 2);
    const session: KernelSession = { ...opened, sid, host, disks: new Map() };
    this.sessions.set(sid, session);
    const base = this.#base(session);
    this.#files(`${base}/iscsi_session/session${sid}`, { targetname: target.iqn, state: 'LOGGED_IN', tpgt: '1' });
    this.#link(`${base}/iscsi_session/session${sid}/device`, `../../../session${sid}`);
    this.#link(`sys/class/iscsi_session/session${sid}`, `../../../${base}/iscsi_session/session${sid}`);
    const connection = `connection${sid}:0`;
    this.#files(`${base}/${connection}/iscsi_connection/${connection}`, { persistent_address: address, persistent_port: String(port) });
    this.#link(`sys/class/iscsi_connection/${connection}`, `../../../${base}/${connection}/iscsi_connection/${connection}`);
    const hostBase = dirname(base);
    this.#files(`${hostBase}/iscsi_host/host${host}`, { initiatorname: '' });
    this.#link(`${hostBase}/iscsi_host/host${host}/device`, `../../../host${host}`);
    this.#link(`sys/class/iscsi_host/host${host}`, `../../../${hostBase}/iscsi_host/host${host}`);
    this.#files(`${hostBase}/scsi_host/host${host}`, { scan: '' });
    this.#link(`sys/class/scsi_host/host${host}`, `../../../${hostBase}/scsi_host/host${host}`);
    if (!manual) this.scan(host, undefined);
    return session;
  }

  /** What is gone goes without a trace; links by path with it. */
  close(sid: number): void {
    const session = this.sessions.get(sid);
    if (session === undefined) return;
    for (const lun of [...session.disks.keys()]) this.remove(session, lun);
    this.sessions.delete(sid);
    session.leave();
    for (const path of [`iscsi_session/session${sid}`, `iscsi_connection/connection${sid}:0`, `iscsi_host/host${session.host}`]) {
      rmSync(join(this.root, 'sys/class', path), { force: true });
    }
    rmSync(join(this.root, 'sys/class/scsi_host', `host${session.host}`), { force: true });
    rmSync(join(this.root, dirname(this.#base(session))), { recursive: true, force: true });
  }

  /** All LUNs, the target's controller (which is no disk) among them, or one. */
  scan(host: number, lun: number | undefined): void {
    const session = [...this.sessions.values()].find((one) => one.host === host);
    if (session === undefined || session.target.dead) return;
    const isAsked = lun === undefined || lun === controllerLun;
    if (isAsked && !session.target.luns.has(controllerLun)) this.#files(this.lunFolder(session, controllerLun), { type: '12' });
    for (const [number, found] of session.target.luns) {
      if (lun !== undefined && number !== lun) continue;
      if (session.disks.has(number)) this.rescan(session, number);
      else this.#add(session, number, found);
    }
  }

  rescan(session: KernelSession, lun: number): void {
    const disk = session.disks.get(lun);
    if (disk === undefined || session.target.dead) return;
    writeFileSync(join(this.root, this.lunFolder(session, lun), 'block', disk.name, 'size'), `${Math.floor(sizeOf(disk.lun) / 512)}\n`);
  }

  remove(session: KernelSession, lun: number): void {
    const disk = session.disks.get(lun);
    session.disks.delete(lun);
    if (disk !== undefined) {
      rmSync(join(this.root, this.#byPath(session, lun)), { force: true });
      rmSync(join(this.root, 'dev', disk.name), { force: true });
      rmSync(join(this.root, 'sys/block', disk.name), { force: true });
    }
    rmSync(join(this.root, this.lunFolder(session, lun)), { recursive: true, force: true });
  }

  /** The sessions of a target, as they see whether it answers. */
  notice(target: StandInTarget): void {
    for (const session of this.sessions.values()) {
      if (session.target !== target) continue;
      const path = join(this.root, this.#base(session), `iscsi_session/session${session.sid}/state`);
      writeFileSync(path, target.dead ? 'FAILED\n' : 'LOGGED_IN\n');
    }
  }

  lunFolder(session: KernelSession, lun: number): string {
    const { host } = session;
    return `${this.#base(session)}/target${host}:0:0/${host}:0:0:${lun}`;
  }

  diskOf(name: string): { readonly session: KernelSession; readonly lun: number } | undefined {
    for (const session of this.sessions.values()) {
      for (const [lun, disk] of session.disks) if (disk.name === name) return { session, lun };
    }
    return undefined;
  }

  #add(session: KernelSession, lun: number, found: TargetLun): void {
    const taken = new Set(readdirSync(join(this.root, 'dev')));
    const index = lowestFree(new Set([...Array(702).keys()].filter((one) => taken.has(diskName(one)))), 0);
    const name = diskName(index);
    const folder = this.lunFolder(session, lun);
    this.#files(folder, { type: '0', state: 'running', delete: '', rescan: '' });
    const serial = Buffer.from(found.serial.padEnd(20));
    writeFileSync(join(this.root, folder, 'vpd_pg80'), Buffer.concat([Buffer.from([0, 0x80, 0, serial.length]), serial]));
    const size = String(Math.floor(sizeOf(found) / 512));
    this.#files(`${folder}/block/${name}`, { size, ro: found.readOnly ? '1' : '0', dev: `8:${index * 16}` });
    mkdirSync(join(this.root, folder, 'block', name, 'holders'));
    this.#link(`sys/block/${name}`, `../../${folder}/block/${name}`);
    symlinkSync(found.file, join(this.root, 'dev', name));
    session.disks.set(lun, { name, lun: found });
    const link = (): void => {
      if (session.disks.get(lun)?.name === name) this.#link(this.#byPath(session, lun), `../../${name}`);
    };
    if (this.udevTakesMs === 0) link();
    else setTimeout(link, this.udevTakesMs);
  }

  #byPath({ address, port, target }: KernelSession, lun: number): string {
    return `dev/disk/by-path/ip-${address}:${port}-iscsi-${target.iqn}-lun-${lun}`;
  }

  #base({ host, sid }: KernelSession): string {
    return `sys/devices/platform/host${host}/session${sid}`;
  }

  #files(folder: string, files: Readonly<Record<string, string>>): void {
    mkdirSync(join(this.root, folder), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.root, folder, name), `${text}\n`);
  }

  #link(path: string, to: string): void {
    const at = join(this.root, path);
    if (!existsSync(dirname(at))) return;
    rmSync(at, { force: true });
    symlinkSync(to, at);
  }
}

function lowestFree(taken: ReadonlySet<number>, from: number): number {
  for (let number = from; ; number++) if (!taken.has(number)) return number;
}

/** sda … sdz, sdaa … */
function diskName(index: number): string {
  const letter = (at: number): string => String.fromCharCode(97 + at);
  return `sd${index < 26 ? letter(index) : `${letter(Math.floor(index / 26) - 1)}${letter(index % 26)}`}`;
}
