import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { runTool, versionOf } from './tools.js';

/** What a reader needs to know of the machine to judge the numbers; nothing that tells which one it is. */
export interface MachineFacts {
  readonly cpus: number;
  readonly cpuModel: string;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  /** Of the folder in which everything lies. */
  readonly fileSystem: string;
  /** By name; null where it is not installed. */
  readonly tools: Readonly<Record<string, string | null>>;
}

const tools: Readonly<Record<string, readonly [string, ...string[]]>> = {
  fio: ['fio', '--version'],
  nbdkit: ['nbdkit', '--version'],
  'qemu-nbd': ['qemu-nbd', '--version'],
  'mkfs.xfs': ['mkfs.xfs', '-V'],
  cp: ['cp', '--version'],
};

export async function machineFacts(directory: string, signal: AbortSignal): Promise<MachineFacts> {
  const versions: [string, string | null][] = [];
  for (const [name, command] of Object.entries(tools)) versions.push([name, await versionOf(command, signal)]);
  const [, fileSystem = 'unknown'] = (await runTool(['df', '--output=fstype', directory], { signal, limitMs: 10_000 })).split('\n');
  return {
    cpus: availableParallelism(),
    cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    // What follows a hyphen names who built it.
    kernel: release().split('-')[0] ?? 'unknown',
    node: process.version,
    fileSystem: fileSystem.trim(),
    tools: Object.fromEntries(versions),
  };
}
