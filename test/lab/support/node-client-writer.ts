import { randomUUID } from 'node:crypto';
import type { GuestShells } from './node-client-shell.js';

/** Somebody in a guest who appends to a file of a mounted file system, line by line, and waits for each to be durable. */
export class Writer {
  readonly #shells: GuestShells;
  readonly #id = randomUUID();

  private constructor(shells: GuestShells) {
    this.#shells = shells;
  }

  /** Makes a file system on a disk, and begins. */
  static async begin(shells: GuestShells, disk: string): Promise<Writer> {
    const writer = new Writer(shells);
    const { at, stop, wrote, log } = writer.#paths;
    await shells.run(`
      mkfs.ext4 -q -F ${disk}
      mkdir -p ${at}
      mount ${disk} ${at}
      setsid bash -euc 'n=0; while [ ! -e ${stop} ]; do n=$((n+1)); echo $n >>${at}/log; sync ${at}/log; done; echo $n >${wrote}' </dev/null >${log} 2>&1 &
      for i in {1..200}; do [ -s ${at}/log ] && exit 0; sleep 0.05; done
      exit 1`);
    return writer;
  }

  get at(): string {
    return this.#paths.at;
  }

  /** Waits until it has written more than it had. @throws when it does not go on, or was told that a write failed. */
  async goesOn(): Promise<void> {
    const { at, log } = this.#paths;
    await this.#shells.run(`
      before=$(wc -l <${at}/log)
      for i in {1..800}; do
        [ ! -s ${log} ] || { cat ${log} >&2; exit 1; }
        [ "$(wc -l <${at}/log)" -gt $((before + 2)) ] && exit 0
        sleep 0.05
      done
      echo 'nothing more was written' >&2; exit 1`);
  }

  /** Ends it, and lets go of the disk; answers how many lines it wrote. @throws when a line is missing, or the file system is not whole. */
  async end(disk: string): Promise<number> {
    const { at, stop, wrote, log } = this.#paths;
    const said = await this.#shells.run(`
      touch ${stop}
      for i in {1..400}; do [ -s ${wrote} ] && break; sleep 0.05; done
      [ -s ${wrote} ] || { cat ${log} >&2; exit 1; }
      diff <(seq $(<${wrote})) ${at}/log
      umount ${at}
      e2fsck -fn ${disk} >/dev/null 2>&1
      cat ${wrote}`);
    return Number(said);
  }

  get #paths() {
    const base = `/run/writer-${this.#id}`;
    return { at: `${base}.mnt`, stop: `${base}.stop`, wrote: `${base}.wrote`, log: `${base}.log` };
  }
}

/** The lines of the file on a volume, past its exporter. */
export async function linesOn(shells: GuestShells, disk: string): Promise<number> {
  return Number(await shells.run(`at=$(mktemp -d); mount -o ro ${disk} $at; wc -l <$at/log; umount $at`));
}
