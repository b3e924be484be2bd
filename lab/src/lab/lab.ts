import { randomBytes } from 'node:crypto';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VbsError } from '@vbs/core';
import { ensureImage } from '../build/ensure-image.js';
import type { GuestKind } from '../kinds.js';
import { type Lock, takeLock, withLock } from '../lock.js';
import { labFolder } from '../paths.js';
import { drawPort, drawSegment } from '../ports.js';
import { markOf } from '../qemu/process.js';
import { guestMachine, writeSshConfig } from '../ssh-access.js';
import { Guest } from './guest.js';
import { defaultGuests, type NamedGuest, namedGuests, numberOf, type WantedGuests } from './guest-names.js';
import {
  folderOf,
  type GuestRecord,
  type LabRecord,
  listRecords,
  readRecord,
  removeLab,
  removeLeftovers,
  runFolder,
  writeRecord,
} from './record.js';
import { XenGuest } from './xen-guest.js';

/** Which guests a lab has. */
export interface LabOptions {
  /** The guests: vs1, node1 and node2 unless told. */
  readonly guests?: WantedGuests;
  /** Told what takes long: the building of the image. */
  readonly say?: (line: string) => void;
}

/** A lab that is found by its name. */
export interface StandingOptions extends LabOptions {
  readonly name: string;
  /** It ends with this process, at the latest when the next lab is started. */
  readonly endsWithUs?: boolean;
}

const startLimitMs = 20 * 60_000;

/** Guests that run, on a network of their own. */
export class Lab implements AsyncDisposable {
  readonly name: string;
  /** An OpenSSH client configuration that knows every guest by its name: `machine: { ssh: { host: 'vs1', configFile } }`. */
  readonly configFile: string;
  readonly guests: readonly Guest[];
  #record: LabRecord;
  #writing: Promise<void> = Promise.resolve();
  #use: Lock | undefined;

  private constructor(record: LabRecord, endsWithUs: boolean) {
    const folder = folderOf(record.name);
    this.name = record.name;
    this.configFile = join(folder, 'ssh_config');
    this.#record = record;
    this.guests = record.guests.map(
      (guest) =>
        new (guest.kind === 'xen' ? XenGuest : Guest)({
          record: guest,
          folder: join(folder, guest.name),
          segment: record.segment,
          endsWithUs,
          machine: guestMachine(guest.name, this.configFile, folder),
          peers: record.guests,
          onPort: (name, sshPort) => this.#setPort(name, sshPort),
        }),
    );
  }

  /**
   * Guests in the clean saved state: those of the standing lab (`npm run lab:up`), when it has them all and nobody else uses it, else a
   * lab of one's own. Disposing of it gives the standing lab back, or ends the own one.
   */
  static async up(options: LabOptions = {}): Promise<Lab> {
    const say = options.say ?? (() => undefined);
    const wanted = await withImages(namedGuests(options.guests ?? defaultGuests(3)), say);
    const standing = await Lab.#join(process.env.VBS_LAB ?? 'default', wanted);
    return standing ?? (await Lab.#create(`own-${process.pid}-${randomBytes(4).toString('hex')}`, wanted, true));
  }

  /** Brings a lab up that stands until it is taken down. One of this name that runs with these guests is left as it is. */
  static async stand({ name, guests, endsWithUs = false, say = () => undefined }: StandingOptions): Promise<{ lab: Lab; wasUp: boolean }> {
    const named = namedGuests(guests ?? defaultGuests(3));
    folderOf(name);
    const wanted = await withImages(named, say);
    return await withLock(join(runFolder(), `${name}.lock`), startLimitMs, async () => {
      const record = await readRecord(name);
      if (record?.ready === true && isSame(record, wanted)) {
        const lab = new Lab(record, false);
        if (await lab.#adopt()) return { lab, wasUp: true };
      }
      if (record !== undefined) await removeLab(name);
      return { lab: await Lab.#create(name, wanted, endsWithUs), wasUp: false };
    });
  }

  /** A lab that was brought up, with those of its guests that run. @throws NOT_FOUND. */
  static async find(name: string): Promise<Lab> {
    const record = await readRecord(name);
    if (record === undefined) throw new VbsError('NOT_FOUND', `There is no lab "${name}": bring it up by \`npm run lab:up\`.`);
    const lab = new Lab(record, false);
    await lab.#adopt();
    return lab;
  }

  static async #join(name: string, wanted: readonly ImagedGuest[]): Promise<Lab | undefined> {
    const record = await readRecord(name);
    if (record === undefined || !wanted.every((guest) => record.guests.some((one) => isAlike(one, guest)))) return undefined;
    const folder = folderOf(name);
    const use = await takeLock(join(folder, 'use.lock'));
    if (use === undefined) return undefined;
    const lab = new Lab(record, false);
    if (!(await lab.#adopt())) {
      await use.release();
      return undefined;
    }
    lab.#use = use;
    try {
      const wasClean = record.ready && !(await wasUsed(folder));
      if (!wasClean) await lab.fresh();
    } catch (error) {
      await lab.close();
      throw error;
    }
    return lab;
  }

  static async #create(name: string, wanted: readonly ImagedGuest[], isOwn: boolean): Promise<Lab> {
    const segment = drawSegment();
    const guests: GuestRecord[] = [];
    const names = wanted.map((guest) => guest.name);
    for (const guest of wanted) guests.push({ ...guest, number: numberOf(names, guest.name), sshPort: await drawPort() });
    const owner = isOwn ? (markOf(process.pid) ?? null) : null;
    const record: LabRecord = { name, owner, segment, guests, ready: false };
    await mkdir(folderOf(name), { recursive: true, mode: 0o700 });
    await writeRecord(record);
    const isPrivate = name.startsWith('own-');
    const lab = new Lab(record, isPrivate);
    try {
      await writeSshConfig(lab.configFile, guests);
      await lab.fresh();
    } catch (error) {
      await lab.down();
      throw error;
    }
    return lab;
  }

  /** @throws NOT_FOUND: the lab has no such guest. */
  guest(name: string): Guest {
    const found = this.guests.find((guest) => guest.name === name);
    if (found !== undefined) return found;
    throw new VbsError('NOT_FOUND', `The lab has no guest "${name}": it has ${this.guests.map((guest) => guest.name).join(', ')}.`);
  }

  /** A guest that is a Xen host. @throws NOT_FOUND: the lab has no such guest. INVALID_ARGUMENT: it is none. */
  xenGuest(name: string): XenGuest {
    const found = this.guest(name);
    if (found instanceof XenGuest) return found;
    throw new VbsError('INVALID_ARGUMENT', `The guest ${name} is no Xen host: ask for it by \`{ ${name}: 'xen' }\`.`);
  }

  /** Puts every guest back to the clean saved state, with empty disks. */
  async fresh(): Promise<void> {
    await this.#write({ ready: false });
    const results = await Promise.allSettled(this.guests.map((guest) => guest.fresh()));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    await this.#write({ ready: true });
  }

  /** Ends every guest and removes what the lab left. */
  async down(): Promise<void> {
    await this.#release();
    await removeLab(this.name);
  }

  /** Gives a standing lab back as it is; ends one's own. */
  async close(): Promise<void> {
    if (this.name.startsWith('own-')) await this.down();
    else await this.#release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #release(): Promise<void> {
    await Promise.all(this.guests.map((guest) => guest.machine.close()));
    await this.#use?.release();
    this.#use = undefined;
  }

  async #adopt(): Promise<boolean> {
    const running = await Promise.all(this.guests.map((guest) => guest.adopt()));
    return running.every(Boolean);
  }

  async #setPort(name: string, sshPort: number): Promise<void> {
    await this.#write({ guests: this.#record.guests.map((guest) => (guest.name === name ? { ...guest, sshPort } : guest)) });
    await writeSshConfig(this.configFile, this.#record.guests);
  }

  /** One write after the other: guests are restored at once, and any of them may need another port. */
  async #write(change: Partial<LabRecord>): Promise<void> {
    this.#record = { ...this.#record, ...change };
    const written = this.#writing.then(() => writeRecord(this.#record));
    this.#writing = written.catch(() => undefined);
    await written;
  }
}

interface ImagedGuest extends NamedGuest {
  /** The folder of its image. */
  readonly image: string;
}

function isAlike(one: ImagedGuest, other: ImagedGuest): boolean {
  return one.name === other.name && one.kind === other.kind && one.image === other.image;
}

function isSame({ guests }: LabRecord, wanted: readonly ImagedGuest[]): boolean {
  return guests.length === wanted.length && wanted.every((guest, place) => guests[place] !== undefined && isAlike(guests[place], guest));
}

/** Ends the labs that killed processes left. */
export async function endLeftovers(say: (line: string) => void): Promise<void> {
  await withLock(join(runFolder(), 'leftovers.lock'), 60_000, async () => {
    for (const name of await removeLeftovers()) say(`the lab ${name}, whose process is gone, was ended`);
  });
}

/** The guests with the images of now of their kinds, after what killed processes left was ended. */
async function withImages(guests: readonly NamedGuest[], say: (line: string) => void): Promise<readonly ImagedGuest[]> {
  await endLeftovers(say);
  const inUse = async () => (await listRecords()).flatMap((record) => record.guests.map(({ image }) => image));
  const images = new Map<GuestKind, string>();
  const imaged: ImagedGuest[] = [];
  for (const guest of guests) {
    const image = images.get(guest.kind) ?? (await ensureImage(labFolder(), guest.kind, say, inUse));
    images.set(guest.kind, image);
    imaged.push({ ...guest, image });
  }
  return imaged;
}

/** Tells whether a standing lab was used since it was brought up, and marks it used. */
async function wasUsed(folder: string): Promise<boolean> {
  const mark = join(folder, 'used');
  const found = await stat(mark).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  });
  if (found === undefined) await writeFile(mark, '');
  return found !== undefined;
}
