import { mkdir, mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Access, type Call, type ExportRequest, type Machine, type OpenedInstance, openInstance, serialOf } from '@vbs/core';
import aoePlugin, { type AoeExporterConfig } from '@vbs/plugin-aoe';
import type { ExecutionContext } from 'ava';
import { FaultPlan } from '../../stand-ins/frame/faults.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { VbladeStandIn } from '../../stand-ins/vblade/vblade.js';

export const MiB = 1024 * 1024;
export const storeId = '0123456789abcdef0123456789abcdef';
export const node1 = '52:54:00:00:00:01';
export const node2 = '52:54:00:00:00:02';
export const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

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

export interface OpenOptions {
  readonly config?: Partial<AoeExporterConfig>;
  readonly storeId?: string;
  readonly name?: string;
  readonly machine?: (machine: Machine) => Machine;
  readonly commands?: Readonly<Record<string, { readonly pattern: string; readonly withdraws: readonly string[] }>>;
}

/** An exporter as the core opens it, without its retries. */
export async function openExporter(
  directory: string,
  machine: Machine,
  { config = {}, storeId: id = storeId, name = 'vs1/aoe', commands = {} }: OpenOptions = {},
): Promise<OpenedInstance<'targetExporter'>> {
  return openInstance(aoePlugin, 'targetExporter', {
    name,
    configuration: {
      name,
      path: '/volumeServers/vs1/exporters/aoe',
      plugin: 'aoe',
      default: false,
      openNetwork: false,
      commands,
      timeLimits: {},
      config: { interface: 'eth1', ...config },
    },
    machine,
    store: { id, knowsPool: false },
    baseDirectory: directory,
    stateDirectory: join(directory, 'state'),
    log: silent,
    retry: { retries: 0, firstPauseMs: 1 },
  });
}

let drawn = 0;
const digits = (): string => (++drawn).toString(16).padStart(17, '0');

export interface RequestOptions {
  readonly access?: Access;
  readonly sizeBytes?: number;
  readonly initiators?: readonly string[];
  readonly of?: ExportRequest<'block' | 'file'>;
}

/** A request to export a volume that lies at `path` of the machine. */
export function requestOf(
  path: string,
  address: number,
  { access = 'read-write', sizeBytes = MiB, initiators = [node1], of }: RequestOptions = {},
): ExportRequest<'block' | 'file'> {
  const id = `vol-${digits()}`;
  const volume = of?.volume ?? { id, sizeBytes, locator: { kind: 'file', path } };
  return { exportId: `exp-${digits()}`, volume, access, serial: serialOf(volume.id), address, initiators };
}

/** vblade and what is around it as stand-ins, on a machine of one test. */
export class StandInStage {
  readonly vblade = new VbladeStandIn();
  readonly faults = new FaultPlan();
  readonly machine: StandInMachine;
  #opened: OpenedInstance<'targetExporter'> | undefined;
  #address = 0;

  private constructor(
    private readonly t: ExecutionContext,
    readonly directory: string,
    readonly root: string,
  ) {
    this.machine = new StandInMachine({
      root,
      stateDirectory: join(directory, 'guards'),
      tools: this.vblade.tools,
      daemons: this.vblade.daemons,
      faults: this.faults,
    });
  }

  static async make(t: ExecutionContext): Promise<StandInStage> {
    const directory = await mkdtemp(join(tmpdir(), 'vbs-aoe-'));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    const root = join(directory, 'root');
    await mkdir(root);
    return new StandInStage(t, directory, root);
  }

  async open(options: OpenOptions = {}): Promise<OpenedInstance<'targetExporter'>> {
    const opened = await openExporter(this.directory, options.machine?.(this.machine) ?? this.machine, options);
    this.t.teardown(() => opened.close());
    this.#opened ??= opened;
    return opened;
  }

  /** The numbers of the first instance, one after the other. */
  address(): number {
    return (this.#opened?.traits.addresses?.first ?? 0) + this.#address++;
  }

  async request(options: RequestOptions = {}): Promise<ExportRequest<'block' | 'file'>> {
    const path = options.of?.volume.locator.path ?? `/dev/vg0/lv-${digits()}`;
    if (options.of === undefined) await makeFile(join(this.root, path), options.sizeBytes ?? MiB);
    return requestOf(path, this.address(), options);
  }

  /** Where a volume's bytes lie for this process. */
  file(request: ExportRequest): string {
    return join(this.root, request.volume.locator.path);
  }

  /** What runs: the address, path and masks of each vblade. */
  running(): readonly string[] {
    return this.vblade.segment
      .exports()
      .map(({ shelf, slot, path, readOnly, sectors }) => `e${shelf}.${slot} ${path} ${sectors} ${readOnly ? 'r' : 'rw'}`);
  }
}

/** A sparse file that reads zeros. */
export async function makeFile(path: string, sizeBytes: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, '');
  await truncate(path, sizeBytes);
}

/** The bytes of a file at a place. */
export async function bytesAt(path: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    await file.read(bytes, 0, length, offset);
    return bytes;
  } finally {
    await file.close();
  }
}
