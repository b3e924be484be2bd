import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { VbsError } from '@vbs/core';
import { guestFiles } from './arguments.js';

interface Reply {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

const replyLimitMs = 30_000;

/** QEMU's control socket (QMP), one command after the other. */
export class Qmp {
  readonly #socket: Socket;
  readonly #replies: AsyncIterator<string>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#replies = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  /** Connects to the QEMU of this pid, by its working folder: a socket's path may not be long. @throws UNAVAILABLE. */
  static async connect(pid: number, limitMs: number): Promise<Qmp> {
    const deadline = Date.now() + limitMs;
    for (;;) {
      const socket = await open(`/proc/${pid}/cwd/${guestFiles.qmp}`);
      if (socket instanceof Error) {
        if (Date.now() > deadline)
          throw new VbsError('UNAVAILABLE', `The control socket of QEMU (pid ${pid}) does not answer: ${socket.message}`);
        await pause(10);
        continue;
      }
      const qmp = new Qmp(socket);
      await qmp.#next();
      await qmp.execute('qmp_capabilities');
      return qmp;
    }
  }

  /** @throws INTERNAL: QEMU refuses. UNAVAILABLE: it does not answer. */
  async execute(command: string, words: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: words })}\n`);
    for (;;) {
      const reply = JSON.parse(await this.#next()) as Reply;
      if (reply.error !== undefined) throw new VbsError('INTERNAL', `QEMU refuses ${command}: ${reply.error.desc}`);
      if ('return' in reply) return reply.return;
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  async #next(): Promise<string> {
    const giveUp = setTimeout(() => this.#socket.destroy(), replyLimitMs);
    try {
      const line = await this.#replies.next();
      if (line.done === true) throw new VbsError('UNAVAILABLE', 'QEMU closed its control socket.');
      return line.value;
    } finally {
      clearTimeout(giveUp);
    }
  }
}

function open(path: string): Promise<Socket | Error> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('error', resolve);
    socket.once('connect', () => {
      socket.removeListener('error', resolve);
      // A reset ends the stream too, and that is told by the missing reply.
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
  });
}
