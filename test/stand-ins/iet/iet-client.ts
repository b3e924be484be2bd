import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportClient } from '@vbs/conformance';
import type { IetWorld, Lun, Session } from './iet-world.js';

export interface Login {
  readonly iqn: string;
  readonly initiator: string;
  readonly address?: string;
  readonly chap?: { readonly user: string; readonly password: string };
}

/** Somebody who is logged in to a target, and reads and writes its LUN 0. */
export class IetClient implements ExportClient {
  constructor(
    private readonly world: IetWorld,
    private readonly session: Session,
  ) {}

  get sizeBytes(): number {
    return this.lun.sizeBytes;
  }

  get readOnly(): boolean {
    return this.lun.mode === 'ro';
  }

  /** What the disk tells of itself; throws where there is none. */
  get lun(): Lun {
    const lun = this.session.target.luns.get(0);
    if (lun === undefined) throw new Error('logical unit not supported');
    return lun;
  }

  get isConnected(): boolean {
    return !this.session.closing;
  }

  async read(offset: number, length: number): Promise<Buffer> {
    return await this.#act(offset, length, async (file) => {
      const buffer = Buffer.alloc(length);
      await file.read(buffer, 0, length, offset);
      return buffer;
    });
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#act(offset, bytes.length, async (file) => {
      if (this.readOnly) throw new Error('write protected');
      await file.write(bytes, 0, bytes.length, offset);
    });
  }

  async flush(): Promise<void> {
    await this.#act(0, 0, (file) => file.datasync());
  }

  async disconnect(): Promise<void> {
    if (!this.session.closing) this.world.close(this.session);
  }

  async #act<T>(offset: number, length: number, act: (file: Awaited<ReturnType<typeof open>>) => Promise<T>): Promise<T> {
    const { session, world, lun } = this;
    if (session.closing) throw new Error('the connection was lost');
    if (offset + length > lun.sizeBytes) throw new Error('logical block address out of range');
    session.inFlight += 1;
    try {
      const file = await open(join(world.root, lun.path), 'r+');
      try {
        const answer = await act(file);
        if (session.closing) throw new Error('the connection was lost');
        return answer;
      } finally {
        await file.close();
      }
    } finally {
      session.inFlight -= 1;
      if (session.closing) world.close(session);
    }
  }
}
