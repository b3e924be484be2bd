import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { createLocalMachine, type Machine } from '@vbs/core';
import { silent } from './exporter-stage.js';
import { inNamespace } from './in-namespace.js';

const run = promisify(execFile);
const prefix = 'vbs-aoe';

function installed(tool: string): boolean {
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'].some((folder) => existsSync(join(folder, tool)));
}

function whyNot(): string {
  const missing = ['vblade', 'ip', 'python3', 'ps'].filter((tool) => !installed(tool));
  if (missing.length > 0) return `${missing.join(', ')} is not installed`;
  if (process.getuid?.() !== 0) return 'it needs root';
  const made = spawnSync('unshare', ['--net', 'ip', 'link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'other'], { timeout: 10_000 });
  return made.status === 0 ? '' : 'it needs network namespaces and veth interfaces';
}

const reason = whyNot();
/** For titles: why tests on a real vblade are skipped, or nothing. */
export const whySkipped = reason === '' ? '' : ` (skipped: ${reason})`;

/** Two machines on one Ethernet cable: a namespace where vblade runs, and one where initiators ask. */
export class VethSegment {
  /** Of vblade's side; no other test's has the name, since vblades are told apart by it in all namespaces. */
  readonly interface: string;
  readonly askingInterface: string;
  readonly targets: string;
  readonly initiators: string;
  #at = '';

  private constructor(name: string) {
    const digest = createHash('sha256').update(name).digest('hex').slice(0, 10);
    this.interface = `vt-${digest}`;
    this.askingInterface = `vi-${digest}`;
    this.targets = `${prefix}-${name}-t`;
    this.initiators = `${prefix}-${name}-i`;
  }

  static async make(name: string): Promise<VethSegment> {
    await removeStale();
    const made = new VethSegment(`${process.pid}-${name}`);
    try {
      await made.#make();
      return made;
    } catch (error) {
      await made.remove();
      throw error;
    }
  }

  /** The Ethernet address of the asking side. */
  get mac(): string {
    return this.#at;
  }

  /** Ends what runs in the namespaces, and takes them away with their interfaces. */
  async remove(): Promise<void> {
    for (const namespace of [this.targets, this.initiators]) await removeNamespace(namespace);
  }

  /** As the operator's `ip` on the exporting side. */
  async ip(...words: readonly string[]): Promise<string> {
    return (await run('ip', ['-n', this.targets, ...words], { timeout: 10_000 })).stdout;
  }

  /** Pulls the cable on the asking side, or puts it in again. */
  async cable(state: 'down' | 'up'): Promise<void> {
    await run('ip', ['-n', this.initiators, 'link', 'set', this.askingInterface, state], { timeout: 10_000 });
  }

  /** This machine, whose vblades and looks at interfaces are in the exporting namespace. */
  machine(stateDirectory: string): Machine {
    return inNamespace(createLocalMachine({ name: 'local', stateDirectory, log: silent }), this.targets);
  }

  async #make(): Promise<void> {
    for (const namespace of [this.targets, this.initiators]) await run('ip', ['netns', 'add', namespace], { timeout: 10_000 });
    const { interface: here, askingInterface: there } = this;
    await this.ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', this.initiators);
    await this.ip('link', 'set', here, 'mtu', '9000', 'up');
    await run('ip', ['-n', this.initiators, 'link', 'set', there, 'mtu', '9000', 'up'], { timeout: 10_000 });
    const shown = await run('ip', ['-n', this.initiators, '-j', 'link', 'show', there], { timeout: 10_000 });
    const [link] = JSON.parse(shown.stdout) as readonly { readonly address: string }[];
    this.#at = link?.address ?? '';
  }
}

/** Those of a test process that was killed. */
async function removeStale(): Promise<void> {
  const { stdout } = await run('ip', ['netns', 'list'], { timeout: 10_000 });
  for (const line of stdout.split('\n')) {
    const [, namespace = '', pid = ''] = /^(vbs-aoe-(\d+)-\S+)/.exec(line) ?? [];
    if (namespace !== '' && !existsSync(`/proc/${pid}`)) await removeNamespace(namespace);
  }
}

async function removeNamespace(namespace: string): Promise<void> {
  const { stdout } = await run('ip', ['netns', 'pids', namespace], { timeout: 10_000 }).catch(() => ({ stdout: '' }));
  for (const pid of stdout.split('\n').filter((line) => line !== '')) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  if (existsSync(`/run/netns/${namespace}`)) await run('ip', ['netns', 'delete', namespace], { timeout: 10_000 });
}
