import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ExportClient } from '@vbs/conformance';
import type { VethSegment } from './veth-segment.js';

/** The source, which is not copied to where this file is compiled to. */
const script = fileURLToPath(new URL('../../../plugins/aoe/vblade-client.py', import.meta.url));
const sectorBytes = 512;
/** Of MTU 9000. */
const mostSectors = 17;

type Answer = Readonly<Record<string, unknown>>;

/** A small AoE initiator in user space (Node.js has no raw sockets), on the asking side of a segment. */
export class AoeAsker {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#process = child;
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  }

  /** `mac` is what it sends from: its interface's own, or somebody else's. It gives up what is not answered after `limitMs`. */
  static async start(segment: VethSegment, { mac = segment.mac, limitMs = 3_000 } = {}): Promise<AoeAsker> {
    const words = ['netns', 'exec', segment.initiators, 'python3', script, segment.askingInterface, mac, String(limitMs)];
    const child = spawn('ip', words, { stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin.on('error', () => undefined);
    const asker = new AoeAsker(child);
    await asker.#answer();
    return asker;
  }

  /** One request at a time. @throws what the exporter, or its silence, says. */
  ask(request: Answer): Promise<Answer> {
    const answer = this.#turn.then(async () => {
      this.#process.stdin.write(`${JSON.stringify(request)}\n`);
      const said = await this.#answer();
      if (typeof said.refused === 'string') throw new Error(said.refused);
      return said;
    });
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }

  async #answer(): Promise<Answer> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the asking process has ended');
    return JSON.parse(value) as Answer;
  }
}

/** A client for the conformance kit. */
export async function vbladeClient(
  segment: VethSegment,
  { shelf, slot }: { readonly shelf: number; readonly slot: number },
  options: { readonly mac?: string; readonly limitMs?: number } = {},
): Promise<ExportClient & { readonly serial: string }> {
  const asker = await AoeAsker.start(segment, options);
  const ask = (op: string, more: Answer = {}): Promise<Answer> => asker.ask({ op, target: [shelf, slot], most: mostSectors, ...more });
  try {
    const { sectors, serial } = await ask('identify');
    const { writable } = await ask('writable');
    return {
      sizeBytes: Number(sectors) * sectorBytes,
      serial: String(serial),
      readOnly: writable !== true,
      read: async (offset, length) => {
        const { data } = await ask('read', { lba: offset / sectorBytes, sectors: length / sectorBytes });
        return Buffer.from(String(data), 'base64');
      },
      write: async (offset, bytes) => {
        await ask('write', { lba: offset / sectorBytes, data: Buffer.from(bytes).toString('base64') });
      },
      flush: async () => void (await ask('flush')),
      disconnect: () => asker.stop(),
    };
  } catch (error) {
    await asker.stop();
    throw error;
  }
}
