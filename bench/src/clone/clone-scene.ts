import { randomBytes } from 'node:crypto';
import { open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { type BlockStore, openBlockStore } from '@vbs/core';
import file from '@vbs/plugin-file';
import { silent } from '../harness/tools.js';
import type { Bench } from '../measurement.js';
import { MiB } from '../sizes.js';

/** A guest's file system leaves its data in pieces. */
const pieceBytes = 4 * MiB;

export interface CloneSizes {
  readonly volumeBytes: number;
  /** Of them, those that hold data, in pieces of 4 MiB at equal distances. */
  readonly dataBytes: number;
}

/** A store with one completed snapshot. */
export interface CloneScene {
  readonly store: BlockStore;
  readonly snapshotId: string;
  /** The snapshot's own file. */
  readonly snapshotFile: string;
}

/** Opens a store on files in `folder`, with a volume that holds the data, and takes its snapshot. It closes with the measurement. */
export async function openCloneScene(folder: string, sizes: CloneSizes, { cleanup, signal }: Bench): Promise<CloneScene> {
  const pool = path.join(folder, 'pool');
  const store = await openBlockStore(
    {
      database: { client: 'sqlite3', filename: path.join(folder, 'vbs.sqlite') },
      plugins: [file],
      volumeServers: { vs1: { backends: { files: { plugin: 'file', directory: pool } } } },
    },
    { logger: silent },
  );
  cleanup.defer('closing the store', () => store.close());
  const { id: volumeId } = await store.createVolume({ size: sizes.volumeBytes }, { wait: true, signal });
  await fill(await fileOf(path.join(pool, 'volumes'), volumeId), sizes, signal);
  const { id: snapshotId } = await store.createSnapshot({ volumeId }, { wait: true, signal });
  return { store, snapshotId, snapshotFile: await fileOf(path.join(pool, 'snapshots'), snapshotId) };
}

async function fileOf(folder: string, id: string): Promise<string> {
  const name = (await readdir(folder)).find((found) => found.startsWith(id));
  if (name === undefined) throw new Error(`the pool has no file of ${id}`);
  return path.join(folder, name);
}

/** Nobody has the volume attached: its file is written to directly. */
async function fill(volumeFile: string, { volumeBytes, dataBytes }: CloneSizes, signal: AbortSignal): Promise<void> {
  const pieces = Math.ceil(dataBytes / pieceBytes);
  const distance = Math.floor(volumeBytes / pieces / pieceBytes) * pieceBytes;
  const handle = await open(volumeFile, 'r+');
  try {
    for (let piece = 0; piece < pieces; piece++) {
      signal.throwIfAborted();
      await handle.write(randomBytes(pieceBytes), 0, pieceBytes, piece * distance);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}
