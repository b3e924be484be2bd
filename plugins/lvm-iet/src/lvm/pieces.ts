import { type Call, VbsError } from '@vbs/core';
import type { Lvm } from './lvm.js';

/** A stretch of bytes of the device of an LV, of whole extents. */
export interface Stretch {
  /** The volume that is changed, whose guard is taken. */
  readonly id: string;
  readonly path: string;
  readonly fromBytes: number;
  readonly toBytes: number;
  /** The group's extents: what every size is a multiple of. */
  readonly extentBytes: number;
}

/** Zeros a stretch piece by piece; `onDurable` after each is on the medium. */
export async function zeroStretch(call: Call, lvm: Lvm, stretch: Stretch, onDurable: (toBytes: number) => void): Promise<void> {
  const block = blockOf(lvm, stretch);
  for (const { first, bytes } of piecesOf(lvm, stretch)) {
    const values = { to: stretch.path, block, first: first / block, count: bytes / block };
    requireWhole(await lvm.change(call, stretch.id, 'zeroPiece', values), values.count);
    onDurable(first + bytes);
  }
}

/** Copies the same stretch of another device, zeros included: a thick volume shows what its extents held before. */
export async function copyStretch(
  call: Call,
  lvm: Lvm,
  stretch: Stretch & { readonly source: string },
  onDurable: (toBytes: number) => void,
): Promise<void> {
  const block = blockOf(lvm, stretch);
  for (const { first, bytes } of piecesOf(lvm, stretch)) {
    const values = { from: stretch.source, to: stretch.path, block, first: first / block, count: bytes / block };
    requireWhole(await lvm.change(call, stretch.id, 'copyPiece', values), values.count);
    onDurable(first + bytes);
  }
}

export async function discardStretch(call: Call, lvm: Lvm, stretch: Stretch, onDurable: (toBytes: number) => void): Promise<void> {
  for (const { first, bytes } of piecesOf(lvm, stretch)) {
    await lvm.change(call, stretch.id, 'discardPiece', { path: stretch.path, offset: first, length: bytes });
    onDurable(first + bytes);
  }
}

/** The largest size of dd's blocks that divides the extents, and so every stretch, and the configured size. */
function blockOf(lvm: Lvm, { extentBytes }: Stretch): number {
  let [block, rest] = [extentBytes, lvm.settings.blockBytes];
  while (rest !== 0) [block, rest] = [rest, block % rest];
  return block;
}

function* piecesOf(lvm: Lvm, stretch: Stretch): Generator<{ readonly first: number; readonly bytes: number }> {
  const { fromBytes, toBytes } = stretch;
  const block = blockOf(lvm, stretch);
  const pieceBytes = Math.max(block, lvm.settings.pieceBytes - (lvm.settings.pieceBytes % block));
  for (let first = fromBytes; first < toBytes; ) {
    const end = Math.min(toBytes, first + pieceBytes);
    yield { first, bytes: end - first };
    first = end;
  }
}

/** dd that meets the end of its input early says so only in its counts. */
function requireWhole({ stderr }: { readonly stderr: string }, blocks: number): void {
  if (new RegExp(`^${blocks}\\+0 records out$`, 'm').test(stderr)) return;
  throw new VbsError('INTERNAL', `dd wrote less than the ${blocks} blocks that it was given: ${stderr.trim().slice(-200)}`, {
    context: { stderr },
  });
}
