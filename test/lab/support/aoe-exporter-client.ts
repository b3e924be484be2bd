import type { ExportClient } from '@vbs/conformance';
import type { ConnectionInfo } from '@vbs/core';
import { bytesOf } from './node-client.js';
import type { GuestShells } from './node-client-shell.js';

/** How long the kernel asks again before a device's I/O fails, in seconds. It must outlast a vblade that is started anew. */
const deadSeconds = 6;

/** The kernel's aoe driver of a guest, driven by what an operator types. It has one device for an address, however many use it. */
export class AoeNode {
  readonly #shells: GuestShells;
  readonly #users = new Map<string, number>();
  readonly #sizes = new Map<string, number>();

  private constructor(shells: GuestShells) {
    this.#shells = shells;
  }

  static async prepare(shells: GuestShells): Promise<AoeNode> {
    await shells.run(`echo ${deadSeconds} >/sys/module/aoe/parameters/aoe_deadsecs`);
    return new AoeNode(shells);
  }

  /** @throws when no device comes within two seconds, or the one that is there does not answer. */
  async connect({ key }: ConnectionInfo<'aoe'>): Promise<ExportClient> {
    const shells = this.#shells;
    const disk = `/dev/etherd/${key}`;
    const users = this.#users.get(key) ?? 0;
    const flush = `! [ -e ${disk} ] || aoe-flush ${key}; for i in {1..100}; do [ -e ${disk} ] || break; sleep 0.05; done`;
    const leave = async (): Promise<void> => {
      const left = (this.#users.get(key) ?? 1) - 1;
      this.#users.set(key, left);
      if (left === 0) await shells.run(flush);
    };
    this.#users.set(key, users + 1);
    try {
      // One who comes later asks for the size anew, whose answer nothing announces. Only a write tells that none is taken.
      const said = await shells.run(`
        ${users === 0 ? flush : `aoe-revalidate ${key}`}
        for i in {1..${users === 0 ? 40 : 10}}; do
          if [ $((i % 10)) = 1 ]; then aoe-discover; fi
          if [ -b ${disk} ] && [ "$(cat '/sys/block/etherd!${key}/state')" = up ] && [ "$(blockdev --getsize64 ${disk})" != ${users === 0 ? 0 : (this.#sizes.get(key) ?? 0)} ]; then break; fi
          sleep 0.05
        done
        block=$(mktemp)
        dd if=${disk} of=$block bs=4096 count=1 iflag=direct status=none
        if dd if=$block of=${disk} bs=4096 oflag=direct conv=nocreat,notrunc status=none 2>/dev/null; then writable=1; else writable=0; fi
        dd if=${disk} of=/dev/null bs=4096 count=1 iflag=direct status=none
        rm $block
        echo $(blockdev --getsize64 ${disk}) $writable`);
      const [sizeBytes, writable] = said.trim().split(' ');
      this.#sizes.set(key, Number(sizeBytes));
      let isConnected = true;
      return {
        ...bytesOf(shells, disk, { direct: true }),
        sizeBytes: Number(sizeBytes),
        readOnly: writable === '0',
        flush: async () => void (await shells.run(`sync ${disk}`)),
        disconnect: async () => {
          if (!isConnected) return;
          isConnected = false;
          await leave();
        },
      };
    } catch (error) {
      await leave();
      throw error;
    }
  }
}
