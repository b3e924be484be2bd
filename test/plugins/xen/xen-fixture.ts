import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AttachDeviceRequest, type Call, type Machine, type OpenedInstance, openInstance, VbsError } from '@vbs/core';
import xenPlugin, { type XenConfig } from '@vbs/plugin-xen';
import type { ExecutionContext } from 'ava';
import { FaultPlan } from '../../stand-ins/frame/faults.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import type { Dom0Device } from '../../stand-ins/xen/devices.js';
import { XenWorld } from '../../stand-ins/xen/world.js';

export const MiB = 1024 * 1024;
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** As the README has it, for hosts whose toolstack is xend. */
export const xmCommands = {
  listVms: 'xm list',
  attach: 'xm block-attach <vmId> phy:<vmmDev> <vmDev> <mode>',
  detach: 'xm block-detach <vmId> <vmDev>',
} as const;

export const toolstacks = [
  ['xl', {}],
  ['xm', xmCommands],
] as const;

export function call(overrides: Partial<Call> = {}): Call {
  return {
    signal: AbortSignal.timeout(60_000),
    operationId: 'op-00000000000000001',
    epoch: 1,
    log: silent,
    progress: () => undefined,
    ...overrides,
  };
}

/** A Xen host with the VMs vm1 and vm2, and its machine. */
export class Host {
  readonly root: string;
  readonly world: XenWorld;
  readonly machine: StandInMachine;
  readonly faults = new FaultPlan();
  #drawn = 0;

  constructor(readonly directory: string) {
    this.root = join(directory, 'root');
    this.world = new XenWorld(this.root);
    this.world.start('vm1');
    this.world.start('vm2');
    this.machine = this.newMachine(this.faults);
  }

  newMachine(faults: FaultPlan = new FaultPlan()): StandInMachine {
    const { root, directory, world } = this;
    return new StandInMachine({ name: 'xen1', root, stateDirectory: join(directory, 'node-state'), tools: world.tools, faults });
  }

  /** A device of Dom0 under the long name that an iSCSI disk has. */
  device(options: { readonly sizeBytes?: number; readonly readOnly?: boolean } = {}): {
    readonly path: string;
    readonly device: Dom0Device;
  } {
    const nth = ++this.#drawn;
    const device = this.world.devices.add(`/dev/loop${nth}`, { sizeBytes: MiB, ...options });
    const exportId = `exp-${nth.toString(16).padStart(17, '0')}`;
    const path = `/dev/disk/by-path/ip-10.0.0.5:3260-iscsi-iqn.2009-11.edu.iu.vbs:01234567:${exportId}-lun-1`;
    this.world.devices.link(path, device.path);
    return { path, device };
  }

  /** Every disk that a VM has, in any state. */
  disks(): readonly string[] {
    return [...this.world.domains.values()].flatMap(({ id, name }) => this.world.disksOf(id).map(({ path }) => `${name} ${path}`));
  }
}

let attachments = 0;

/** A request that puts a new device into a slot of vm1, unless told otherwise. */
export function request(host: Host, overrides: Partial<AttachDeviceRequest> & { readonly path?: string } = {}): AttachDeviceRequest {
  const { path, ...rest } = overrides;
  return {
    attachmentId: `att-${(++attachments).toString(16).padStart(17, '0')}`,
    vm: 'vm1',
    slot: 'xvdb',
    source: { kind: 'block', path: path ?? host.device().path },
    access: 'read-write',
    sizeBytes: MiB,
    serial: 'vol00000000000000001',
    ...rest,
  };
}

export interface OpenOptions {
  readonly config?: XenConfig;
  readonly commands?: Readonly<Record<string, string>>;
}

/** A hypervisor as the core opens it, without its retries; a guest has 30 ms to take a disk. */
export async function openXen(directory: string, machine: Machine, options: OpenOptions = {}): Promise<OpenedInstance<'hypervisor'>> {
  const name = 'xen1/hypervisor';
  const commands = Object.entries(options.commands ?? {}).map(([key, pattern]) => [key, { pattern, withdraws: [] }] as const);
  return await openInstance(xenPlugin, 'hypervisor', {
    name,
    configuration: {
      name,
      path: '/vmmNodes/xen1/hypervisor',
      plugin: 'xen',
      default: false,
      openNetwork: false,
      commands: Object.fromEntries(commands),
      timeLimits: {},
      config: { connectTimeoutSeconds: 0.03, ...options.config },
    },
    machine,
    store: { id: '0123456789abcdef0123456789abcdef', knowsPool: false },
    baseDirectory: directory,
    stateDirectory: join(directory, 'state'),
    log: silent,
    retry: { retries: 0, firstPauseMs: 1 },
  });
}

export interface Fixture {
  readonly host: Host;
  readonly hypervisor: OpenedInstance<'hypervisor'>['contract'];
  readonly open: (options?: OpenOptions & { readonly machine?: Machine }) => Promise<OpenedInstance<'hypervisor'>>;
}

export async function makeFixture(t: ExecutionContext, options: OpenOptions = {}): Promise<Fixture> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-xen-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  await mkdir(join(directory, 'root'));
  const host = new Host(directory);
  const open: Fixture['open'] = async ({ machine = host.machine, ...more } = {}) => {
    const opened = await openXen(directory, machine, { ...options, ...more });
    t.teardown(() => opened.close());
    return opened;
  };
  return { host, hypervisor: (await open()).contract, open };
}

/** That a call is refused, and how. */
export async function refused(t: ExecutionContext, act: Promise<unknown>, expected: { readonly code: string; readonly context?: object }) {
  const error = (await t.throwsAsync(act, { instanceOf: VbsError })) as VbsError;
  t.like(error, expected, error.message);
  return error;
}
