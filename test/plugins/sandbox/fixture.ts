import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Access, AttachDeviceRequest, Call, DeviceRequest, Instance, LocalMachine, Logger, TargetExporter } from '@vbs/core';
import nbd from '@vbs/plugin-nbd';
import { createSandbox, type SandboxConfig } from '@vbs/plugin-sandbox';
import type { ExecutionContext } from 'ava';

export const MiB = 1024 * 1024;
export const node = 'sandbox';

const log: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

export function aCall(signal: AbortSignal = AbortSignal.timeout(20_000)): Call {
  return { signal, operationId: 'op-00000000000000001', epoch: 1, log, progress: () => {} };
}

/** An instance as the core gives it; the machine only passes guarded acts on, and tells which resources were guarded. */
export function anInstance<Config>(name: string, config: Config, guarded: string[] = []): Instance<Config, 'local'> {
  const machine = {
    name: 'local',
    guarded: <T>(_call: Call, resource: string, act: () => Promise<T>) => {
      guarded.push(resource);
      return act();
    },
  } as Partial<LocalMachine> as LocalMachine;
  const commands = {} as Instance<Config, 'local'>['commands'];
  return {
    name,
    config,
    baseDirectory: tmpdir(),
    stateDirectory: tmpdir(),
    machine,
    commands,
    store: { id: '0123456789abcdef0123456789abcdef', knowsPool: false },
    log,
  };
}

type Exporter = TargetExporter<'read-only' | 'fence' | 'extend', 'nbd', 'file'> & { close?(): Promise<void> };

/** Disks for sandbox VMs: files served by the real NBD exporter. */
export class Exports {
  #drawn = 0;

  private constructor(
    readonly exporter: Exporter,
    readonly directory: string,
  ) {}

  static async open(t: ExecutionContext): Promise<Exports> {
    const directory = await mkdtemp(join(tmpdir(), 'vbs-sandbox-'));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    const exporter = await nbd.provides.targetExporter.open(anInstance('vs1/nbd', { port: 0 }), aCall());
    t.teardown(() => exporter.close?.());
    return new Exports(exporter, directory);
  }

  /** A new export of a new file: what attachDevice is given for it. */
  async disk(
    vm = 'vm1',
    slot = 'xvdb',
    { access = 'read-write' as Access, sizeBytes = 8 * MiB, first = Buffer.alloc(0) } = {},
  ): Promise<Disk> {
    this.#drawn += 1;
    const number = String(this.#drawn).padStart(17, '0');
    const path = join(this.directory, number);
    await writeFile(path, first);
    await truncate(path, sizeBytes);
    const exportId = `exp-${number}`;
    const volume = { id: `vol-${number}`, sizeBytes, locator: { kind: 'file', path } } as const;
    const connection = await this.exporter.createExport(aCall(), { exportId, volume, access, serial: `vol${number}` });
    const source = { kind: 'connection', connection } as const;
    return { attachmentId: `att-${number}`, vm, slot, source, access, sizeBytes, serial: `vol${number}`, exportId, path, volume };
  }
}

export interface Disk extends AttachDeviceRequest {
  readonly exportId: string;
  readonly path: string;
  readonly volume: { readonly id: string; readonly sizeBytes: number; readonly locator: { readonly kind: 'file'; readonly path: string } };
}

export function place({ attachmentId, vm, slot, source }: DeviceRequest): DeviceRequest {
  return { attachmentId, vm, slot, source };
}

/** An opened sandbox hypervisor with VMs vm1, vm2 and off (stopped), and exports for them. */
export async function aSandbox(t: ExecutionContext, config: Partial<SandboxConfig> = {}) {
  const exports = await Exports.open(t);
  const sandbox = createSandbox();
  const guarded: string[] = [];
  const instance = anInstance(`${node}/hypervisor`, { vms: { vm1: {}, vm2: {}, off: { running: false } }, ...config }, guarded);
  const hypervisor = await sandbox.plugin.provides.hypervisor.open(instance, aCall());
  t.teardown(() => hypervisor.close?.());
  return { exports, sandbox, hypervisor, guarded, vm: (vmId: string) => sandbox.vm(node, vmId) };
}
