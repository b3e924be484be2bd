import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, open, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Access,
  type Call,
  type ConnectionInfo,
  type ConnectRequest,
  type Machine,
  type OpenedInstance,
  openInstance,
  Secret,
} from '@vbs/core';
import iscsiPlugin, { type IscsiConfig } from '@vbs/plugin-iscsi';
import type { ExecutionContext } from 'ava';
import { FaultPlan } from '../../stand-ins/frame/faults.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { StandInIscsi, type StandInTarget } from '../../stand-ins/iscsi/index.js';

export const MiB = 1024 * 1024;
export const portal = '10.0.0.5:3260';
export const prefix = 'iqn.2009-11.edu.iu.vbs:01234567';
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

/** An initiator as the core opens it, without its retries. */
export async function openIscsi(
  directory: string,
  machine: Machine,
  options: { readonly config?: IscsiConfig; readonly log?: Call['log'] } = {},
): Promise<OpenedInstance<'initiator'>> {
  const name = 'node1/iscsi';
  return openInstance(iscsiPlugin, 'initiator', {
    name,
    configuration: {
      name,
      path: '/vmmNodes/node1/initiators/iscsi',
      plugin: 'iscsi',
      default: false,
      openNetwork: false,
      commands: {},
      timeLimits: {},
      config: { ...options.config },
    },
    machine,
    store: { id: '0123456789abcdef0123456789abcdef', knowsPool: false },
    baseDirectory: directory,
    stateDirectory: join(directory, 'state'),
    log: options.log ?? silent,
    retry: { retries: 0, firstPauseMs: 1 },
  });
}

export interface TestTarget {
  readonly target: StandInTarget;
  readonly file: string;
  readonly connection: ConnectionInfo<'iscsi'>;
}

/** A node, its machine and targets, in a folder of their own. */
export class Node {
  readonly root: string;
  readonly iscsi: StandInIscsi;
  readonly machine: StandInMachine;
  readonly faults = new FaultPlan();
  #drawn = 0;

  constructor(
    readonly directory: string,
    options: { readonly takesMs?: number } = {},
  ) {
    this.root = join(directory, 'root');
    this.iscsi = new StandInIscsi(this.root);
    this.machine = new StandInMachine({
      name: 'node1',
      root: this.root,
      stateDirectory: join(directory, 'node-state'),
      tools: this.iscsi.tools,
      faults: this.faults,
      ...options,
    });
  }

  makeTarget(
    options: {
      readonly sizeBytes?: number;
      readonly access?: Access;
      readonly chap?: boolean;
      readonly portals?: readonly string[];
      readonly beside?: TestTarget;
      readonly initiators?: readonly string[];
    } = {},
  ): TestTarget {
    const { sizeBytes = MiB, access = 'read-write', chap = true, portals = [portal], beside, initiators } = options;
    const exportId = `exp-${randomBytes(9).toString('hex').slice(0, 17)}`;
    const iqn = beside?.connection.iqn ?? `${prefix}:${exportId}`;
    const target = beside?.target ?? this.iscsi.addTarget(iqn, portals);
    const lun = Math.max(0, ...target.luns.keys()) + 1;
    const serial = `vol${(++this.#drawn).toString(16).padStart(17, '0')}`;
    const file = join(this.directory, `${exportId}.img`);
    target.addLun(lun, { file, serial, sizeBytes, readOnly: access === 'read-only' });
    const password = beside?.target.chap?.password ?? `secret-of-${exportId}`;
    const user = beside?.target.chap?.user ?? exportId;
    if (chap) target.chap = { user, password };
    if (initiators !== undefined) target.initiators = initiators;
    const connection: ConnectionInfo<'iscsi'> = {
      protocol: 'iscsi',
      key: `${iqn}/${lun}`,
      portals: target.portals,
      iqn,
      lun,
      serial,
      ...(chap ? { chap: { user, password: new Secret(password) } } : {}),
    };
    return { target, file, connection };
  }

  /** What is left of VBS on the node: sessions, disks, links, node records. */
  async left(): Promise<readonly string[]> {
    const list = async (path: string) => (await this.machine.listDirectory(call(), path)).map((name) => `${path}/${name}`);
    const disks = (await list('/dev')).filter((path) => path !== '/dev/disk');
    const folders = ['/sys/class/iscsi_session', '/sys/block', '/dev/disk/by-path', '/etc/iscsi/nodes', '/sys/devices/platform'];
    return [...disks, ...(await Promise.all(folders.map((folder) => list(folder).catch(() => [])))).flat()];
  }

  /** The bytes of a path of the node, as one that opens it sees them. */
  async file(path: string): Promise<string> {
    return realpath(this.machine.real(path));
  }

  realFile(file: string): Promise<string> {
    return realpath(file);
  }

  isReadOnly(path: string): boolean {
    const name = this.#diskOf(path);
    return readFileSync(this.machine.real(`/sys/block/${name}/ro`), 'utf8').trim() === '1';
  }

  sizeOf(path: string): number {
    return Number(readFileSync(this.machine.real(`/sys/block/${this.#diskOf(path)}/size`), 'utf8')) * 512;
  }

  /** `sda` of a link by path. */
  diskOf(path: string): string {
    return this.#diskOf(path);
  }

  #diskOf(path: string): string {
    const result = this.iscsi.tools.readlink?.({ args: ['-f', path], input: '', root: this.root }) as { readonly stdout?: string };
    return (result.stdout ?? '').trim().replace('/dev/', '');
  }
}

export interface Fixture {
  readonly node: Node;
  readonly initiator: OpenedInstance<'initiator'>['contract'];
  open(options?: {
    readonly machine?: Machine;
    readonly config?: IscsiConfig;
    readonly log?: Call['log'];
  }): Promise<OpenedInstance<'initiator'>>;
}

export async function makeFixture(t: ExecutionContext, options: { readonly takesMs?: number } = {}): Promise<Fixture> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-iscsi-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  await mkdir(join(directory, 'root', 'etc/iscsi'), { recursive: true });
  const node = new Node(directory, options);
  const open: Fixture['open'] = async ({ machine = node.machine, ...more } = {}) => {
    const opened = await openIscsi(directory, machine, more);
    t.teardown(() => opened.close());
    return opened;
  };
  return { node, initiator: (await open()).contract, open };
}

let drawn = 0;

export function request(
  { connection }: TestTarget,
  { sizeBytes = MiB, access = 'read-write' as Access }: { readonly sizeBytes?: number; readonly access?: Access } = {},
): ConnectRequest<'iscsi'> {
  return { attachmentId: `att-${(++drawn).toString(16).padStart(17, '0')}`, connection, sizeBytes, access };
}

export async function writeBytes(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.write(bytes, 0, bytes.length, offset);
  } finally {
    await file.close();
  }
}

export async function readBytes(path: string, offset: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
