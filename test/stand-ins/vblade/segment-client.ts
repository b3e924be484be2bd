import { open } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { ExportClient } from '@vbs/conformance';
import type { AoeSegment, SegmentExport } from './segment.js';

const pauseMs = 5;
const sectorBytes = 512;

/** Somebody on a segment, who asks again until he is answered, as an AoE initiator does, and gives up after a while. */
export async function segmentClient(
  segment: AoeSegment,
  { key, mac, limitMs = 300 }: { readonly key: string; readonly mac: string; readonly limitMs?: number },
): Promise<ExportClient> {
  let gone = false;
  const answering = async (): Promise<SegmentExport> => {
    for (const deadline = performance.now() + limitMs; ; await pause(pauseMs)) {
      if (gone) throw new Error('the client has left');
      const found = segment.seenBy(mac).filter(({ shelf, slot }) => `e${shelf}.${slot}` === key);
      if (found.length > 1) throw new Error(`${found.length} answer as ${key}`);
      if (found[0] !== undefined) return found[0];
      if (performance.now() > deadline) throw new Error(`nobody answers as ${key}`);
    }
  };
  const within = ({ sectors }: SegmentExport, offset: number, length: number): void => {
    if (offset + length > sectors * sectorBytes) throw new Error(`${key} has ${sectors} sectors`);
  };
  const { sectors, readOnly } = await answering();
  return {
    sizeBytes: sectors * sectorBytes,
    readOnly,
    async read(offset, length) {
      const shown = await answering();
      within(shown, offset, length);
      await using file = await open(shown.file, 'r');
      const bytes = Buffer.alloc(length);
      await file.read(bytes, 0, length, offset);
      return bytes;
    },
    async write(offset, bytes) {
      const shown = await answering();
      within(shown, offset, bytes.length);
      if (shown.readOnly) throw new Error(`${key} is read-only`);
      await using file = await open(shown.file, 'r+');
      // Between a question and its answer nothing else of a vblade comes: a write whose vblade has ended was never begun.
      if (!segment.exports().includes(shown)) throw new Error(`${key} went away`);
      await file.write(bytes, 0, bytes.length, offset);
    },
    flush: () => Promise.resolve(),
    disconnect: async () => {
      gone = true;
    },
  };
}
