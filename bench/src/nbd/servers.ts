import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { startProgram } from '../harness/start-program.js';
import { startOnSocket } from '../harness/start-tool.js';
import type { Bench } from '../measurement.js';
import type { VbsNbdArgument, VbsNbdReady } from './vbs-nbd.js';

export const peers = ['nbdkit', 'qemu-nbd'] as const;
export type Server = 'vbs' | (typeof peers)[number];

/** Has each server serve the file over a Unix socket of its own, in a process of its own; answers their URIs. */
export async function startServers(file: string, sizeBytes: number, bench: Bench): Promise<Readonly<Record<Server, string>>> {
  const socketOf = (name: string) => path.join(bench.directory, `${name}.sock`);
  const uriOf = (name: string) => `nbd+unix:///?socket=${socketOf(name)}`;

  const nbdkit = ['nbdkit', '--foreground', '--exit-with-parent', '--unix', socketOf('nbdkit'), 'file', `file=${file}`] as const;
  await startOnSocket(nbdkit, socketOf('nbdkit'), bench);
  const qemu = ['qemu-nbd', '--persistent', '--shared=16', '--format=raw', `--socket=${socketOf('qemu-nbd')}`, file] as const;
  await startOnSocket(qemu, socketOf('qemu-nbd'), bench);
  const directory = path.join(bench.directory, 'vbs');
  await mkdir(directory);
  const argument: VbsNbdArgument = { directory, socket: socketOf('vbs'), file, sizeBytes };
  const vbs = await startProgram<VbsNbdReady>(new URL('./vbs-nbd.js', import.meta.url), argument, bench);
  return { vbs: vbs.ready.uri, nbdkit: uriOf('nbdkit'), 'qemu-nbd': uriOf('qemu-nbd') };
}
