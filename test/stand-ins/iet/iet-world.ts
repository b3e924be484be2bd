import { mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Tools } from '../frame/tool.js';
import { IetClient, type Login } from './iet-client.js';
import { ietadm } from './ietadm.js';
import { isAllowed } from './login-access.js';
import { stat } from './stat.js';

export interface Lun {
  readonly lun: number;
  readonly type: 'fileio' | 'blockio' | 'nullio';
  readonly mode: 'wt' | 'ro' | 'wb';
  readonly path: string;
  readonly serial: string;
  readonly scsiId: string;
  /** When the LUN was made: IET never looks again. */
  readonly sizeBytes: number;
}
export interface Target {
  readonly tid: number;
  readonly name: string;
  readonly luns: Map<number, Lun>;
  readonly sessions: Set<Session>;
  readonly params: Map<string, string>;
}
export interface Session {
  readonly sid: string;
  readonly initiator: string;
  readonly address: string;
  readonly target: Target;
  inFlight: number;
  closing: boolean;
}
export interface User {
  readonly tid: number;
  readonly direction: 'IncomingUser' | 'OutgoingUser';
  readonly name: string;
  readonly password: string;
}

const sectorBytes = 512;
const majorNumber = 253;

/** One machine's ietd and its kernel module: what ietadm changes, what /proc/net/iet tells, and who is logged in. */
export class IetWorld {
  /** Newest first. */
  targets: Target[] = [];
  /** By target id, newest first; they outlive their target. */
  users: User[] = [];
  readonly devices = new Map<string, number>();
  /** Devices that another program has opened for itself alone. */
  readonly held = new Set<string>();
  readonly tools: Tools;
  /** How a target with sessions refuses to go: EPERM with some versions. */
  busyAnswer: 'EBUSY' | 'EPERM' = 'EBUSY';
  #runs = false;
  #loaded = false;
  #sessions = 0;

  constructor(readonly root: string) {
    this.tools = { ietadm: (run) => ietadm(this, run), stat: (run) => stat(this, run) };
    this.writeRoot('/etc/iet/initiators.allow', '');
    this.start();
  }

  get runs(): boolean {
    return this.#runs;
  }

  start(): void {
    this.#runs = true;
    this.#loaded = true;
    this.tell();
  }

  /** ietd ends, and takes all with it: it keeps nothing on a disk. */
  stop(): void {
    this.#runs = false;
    for (const { sessions } of this.targets) for (const session of sessions) session.closing = true;
    this.targets = [];
    this.users = [];
    this.tell();
  }

  restart(): void {
    this.stop();
    this.start();
  }

  /** Takes the kernel module out. */
  unload(): void {
    this.stop();
    this.#loaded = false;
    rmSync(join(this.root, 'proc/net/iet'), { recursive: true, force: true });
  }

  target(tid: number): Target | undefined {
    return this.targets.find((target) => target.tid === tid);
  }

  targetNamed(name: string): Target | undefined {
    return this.targets.find((target) => target.name.toLowerCase() === name.toLowerCase());
  }

  makeFile(path: string, sizeBytes: number): void {
    this.writeRoot(path, '');
    truncateSync(join(this.root, path), sizeBytes);
  }

  /** What is a block device on this machine: its bytes lie in a file all the same. */
  makeDevice(path: string, sizeBytes: number): void {
    const minor = this.devices.size;
    this.makeFile(path, sizeBytes);
    this.devices.set(path, minor);
    this.writeRoot(`/sys/dev/block/${majorNumber}:${minor}/size`, `${sizeBytes / sectorBytes}\n`);
  }

  hold(path: string): void {
    this.held.add(path);
  }

  sizeOf(path: string): number | undefined {
    return statSync(join(this.root, path), { throwIfNoEntry: false })?.size;
  }

  get allowFile(): string {
    return readFileSync(join(this.root, 'etc/iet/initiators.allow'), 'utf8');
  }

  set allowFile(text: string) {
    this.writeRoot('/etc/iet/initiators.allow', text);
  }

  /** As an initiator logs in, up to the moment before its session is there. */
  beginLogin({ iqn, initiator, address = '192.168.122.1', chap }: Login): { finish(): IetClient } {
    if (!this.#runs) throw new Error('connection refused');
    const target = this.targetNamed(iqn);
    if (target === undefined || !isAllowed(this.root, { iqn, initiator, address })) throw new Error('target not found');
    const accounts = this.users.filter(({ tid, direction }) => tid === target.tid && direction === 'IncomingUser');
    if (accounts.length > 0) {
      const account = accounts.find(({ name }) => name === chap?.user);
      if (account === undefined || account.password !== chap?.password) throw new Error('authentication failure');
    }
    return {
      finish: () => {
        if (!this.targets.includes(target)) throw new Error('the target has gone');
        const sid = ((BigInt(++this.#sessions) << 48n) | 0x23d000000n).toString();
        const session: Session = { sid, initiator, address, target, inFlight: 0, closing: false };
        target.sessions.add(session);
        this.tell();
        return new IetClient(this, session);
      },
    };
  }

  login(login: Login): IetClient {
    return this.beginLogin(login).finish();
  }

  /** Ends a session when the last of its commands has ended. */
  close(session: Session): void {
    session.closing = true;
    if (session.inFlight === 0) session.target.sessions.delete(session);
    this.tell();
  }

  /** Writes what the kernel tells. */
  tell(): void {
    if (!this.#loaded) return;
    const heads = this.targets.map((target) => ({ target, head: `tid:${target.tid} name:${target.name}\n` }));
    const volumes = heads.map(({ target, head }) => `${head}${[...target.luns.values()].map(toldLun).join('')}`);
    const sessions = heads.map(({ target, head }) => `${head}${[...target.sessions].map(toldSession).join('')}`);
    this.writeRoot('/proc/net/iet/volume', volumes.join(''));
    this.writeRoot('/proc/net/iet/session', sessions.join(''));
    const socket = '0000000000000000: 00000002 00000000 00010000 0001 01 12345 @IET_ABSTRACT_NAMESPACE@@@@@@\n';
    const head = 'Num       RefCount Protocol Flags    Type St Inode Path\n';
    this.writeRoot(
      '/proc/net/unix',
      `${head}0000000000000000: 00000002 00000000 00010000 0001 01 1 /run/udev/control\n${this.#runs ? socket : ''}`,
    );
  }

  /** Whole or not at all, so that no reader finds half of it. */
  writeRoot(path: string, text: string): void {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  }
}

function toldLun({ lun, type, mode, path, sizeBytes }: Lun): string {
  const where = type === 'nullio' ? `sectors:${sizeBytes / sectorBytes}` : `path:${path}`;
  return `\tlun:${lun} state:0 iotype:${type} iomode:${mode} ${where}\n`;
}

function toldSession({ sid, initiator, address, closing }: Session): string {
  return `\tsid:${sid} initiator:${initiator}\n\t\tcid:0 ip:${address} state:${closing ? 'closing' : 'active'} hd:none dd:none\n`;
}
