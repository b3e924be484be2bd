import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type AttachDeviceRequest, type Call, type Logger, type Machine, type OpenedInstance, openInstance, Secret } from '@vbs/core';
import proxmoxPlugin, { type ApiConfig, type ProxmoxConfig } from '@vbs/plugin-proxmox-kvm';
import test, { type ExecutionContext } from 'ava';
import { FaultPlan } from '../../stand-ins/frame/faults.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { ProxmoxApi } from '../../stand-ins/proxmox/rest-api.js';
import { ProxmoxWorld } from '../../stand-ins/proxmox/world.js';

export const MiB = 1024 * 1024;
export const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
export const password = 'correct horse/battery+staple';
export const tokenSecret = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';

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

export interface Certificate {
  readonly file: string;
  readonly certificate: Buffer;
  readonly key: Buffer;
}

/** Of a server on 127.0.0.1 unless told, signed by itself. */
export function makeCertificate(directory: string, name: string, subject = 'IP:127.0.0.1,DNS:localhost'): Certificate {
  const [file, key] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
  const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=${name}`.split(' ');
  const own = ['-addext', `subjectAltName=${subject}`, '-keyout', key, '-out', file];
  execFileSync('openssl', [...words, ...own], { stdio: 'ignore', timeout: 30_000 });
  return { file, certificate: readFileSync(file), key: readFileSync(key) };
}

let shared: Certificate | undefined;

/** A Proxmox VE node with the running VMs 100 and 101 and the stopped VM 102, and its machine. */
export class Node {
  readonly root: string;
  readonly world: ProxmoxWorld;
  readonly machine: StandInMachine;
  readonly faults = new FaultPlan();
  #drawn = 0;

  constructor(
    readonly directory: string,
    version: 9 | 1 = 9,
  ) {
    this.root = join(directory, 'root');
    mkdirSync(this.root, { recursive: true });
    this.world = new ProxmoxWorld(this.root, version);
    this.world.create(100);
    this.world.create(101);
    this.world.create(102, { running: false });
    this.machine = this.newMachine(this.faults);
  }

  newMachine(faults: FaultPlan = new FaultPlan()): StandInMachine {
    const { root, directory, world } = this;
    return new StandInMachine({ name: 'pve1', root, stateDirectory: join(directory, 'node-state'), tools: world.tools, faults });
  }

  /** A device of the node under the long name that an iSCSI disk has. */
  device(sizeBytes = MiB): string {
    const exportId = `exp-${(++this.#drawn).toString(16).padStart(17, '0')}`;
    const path = `/dev/disk/by-path/ip-10.0.0.5:3260-iscsi-iqn.2009-11.edu.iu.vbs:01234567:${exportId}-lun-1`;
    this.world.addDevice(path, sizeBytes);
    return path;
  }

  /** Its REST API, and the configuration that leads there. */
  async api(): Promise<{ readonly server: ProxmoxApi; readonly ticket: ApiConfig; readonly token: ApiConfig }> {
    shared ??= makeCertificate(this.directory, 'pve1');
    const { certificate, key } = shared;
    const server = await ProxmoxApi.start(this.world, {
      certificate,
      key,
      passwords: { 'root@pam': password, 'vbs@pve': password },
      tokens: { 'vbs@pve!storage': tokenSecret, 'root@pam!vbs': tokenSecret },
    });
    const file = join(this.directory, 'ca.pem');
    writeFileSync(file, certificate);
    const common = { url: server.url, node: 'pve1', ca: file };
    return {
      server,
      ticket: { ...common, ticket: { password: new Secret(password) } },
      token: { ...common, token: { id: 'vbs@pve!storage', secret: new Secret(tokenSecret) } },
    };
  }
}

let attachments = 0;

/** A request that puts a new device into a slot of VM 100, unless told otherwise. */
export async function request(
  hypervisor: Fixture['hypervisor'],
  node: Node,
  overrides: Partial<AttachDeviceRequest> & { readonly path?: string; readonly vmid?: number } = {},
): Promise<AttachDeviceRequest> {
  const { path, vmid = 100, ...rest } = overrides;
  return {
    attachmentId: `att-${(++attachments).toString(16).padStart(17, '0')}`,
    vm: rest.vm ?? (await hypervisor.identifyVm(call(), { vmId: String(vmid) })).key,
    slot: 'scsi1',
    source: { kind: 'block', path: path ?? node.device() },
    access: 'read-write',
    sizeBytes: MiB,
    serial: 'vol00000000000000001',
    ...rest,
  };
}

/** Keys of `api` that are added, changed, or left out. */
export type ApiChanges = { readonly [K in keyof ApiConfig]?: ApiConfig[K] | undefined };

export interface OpenOptions {
  readonly config?: Omit<ProxmoxConfig, 'api'> & { readonly api?: ApiChanges };
  readonly commands?: Readonly<Record<string, string>>;
  readonly withdraws?: readonly string[];
  readonly log?: Logger;
}

/** A hypervisor as the core opens it, without its retries. */
export async function openProxmox(
  directory: string,
  machine: Machine,
  options: Omit<OpenOptions, 'config'> & { readonly config?: ProxmoxConfig } = {},
): Promise<OpenedInstance<'hypervisor'>> {
  const name = 'pve1/hypervisor';
  const { withdraws = [] } = options;
  const commands = Object.entries(options.commands ?? {}).map(([key, pattern]) => [key, { pattern, withdraws }] as const);
  return await openInstance(proxmoxPlugin, 'hypervisor', {
    name,
    configuration: {
      name,
      path: '/vmmNodes/pve1/hypervisor',
      plugin: 'proxmox-kvm',
      default: false,
      openNetwork: false,
      commands: Object.fromEntries(commands),
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

export interface Fixture {
  readonly node: Node;
  readonly hypervisor: OpenedInstance<'hypervisor'>['contract'];
  readonly open: (options?: OpenOptions & { readonly machine?: Machine }) => Promise<OpenedInstance<'hypervisor'>>;
  /** Of the REST API, where it is the way. */
  readonly server: ProxmoxApi | undefined;
}

/** Keys of `api` are added to those that lead to the server. */
function merged(config: ProxmoxConfig, more: OpenOptions['config'] = {}): ProxmoxConfig {
  const { api, ...rest } = more;
  return { ...config, ...rest, ...(config.api === undefined ? {} : { api: defined({ ...config.api, ...api }) }) };
}

function defined(api: ApiChanges): ApiConfig {
  return Object.fromEntries(Object.entries(api).filter(([, value]) => value !== undefined)) as unknown as ApiConfig;
}

export type Way = 'qm' | 'the REST API';
export const ways: readonly Way[] = ['qm', 'the REST API'];

const hasOpenssl = (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'openssl')));

/** The server of the REST API needs a certificate. */
export function whySkipped(way: Way): string {
  return way === 'qm' || hasOpenssl ? '' : ' (skipped: openssl is not installed)';
}

/** Declares a test, which is skipped where its way is not there; `whySkipped` belongs into its title. */
export function testBy(way: Way): typeof test | typeof test.skip {
  return whySkipped(way) === '' ? test : test.skip;
}

export async function makeFixture(
  t: ExecutionContext,
  options: OpenOptions & { readonly way?: Way; readonly version?: 9 | 1 } = {},
): Promise<Fixture> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-proxmox-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  await mkdir(join(directory, 'root'));
  const node = new Node(directory, options.version);
  const made = options.way === 'the REST API' ? await node.api() : undefined;
  if (made !== undefined) t.teardown(() => made.server.close());
  const config = merged(made === undefined ? {} : { api: made.ticket }, options.config);
  const open: Fixture['open'] = async ({ machine = node.machine, ...more } = {}) => {
    const opened = await openProxmox(directory, machine, { ...options, ...more, config: merged(config, more.config) });
    t.teardown(() => opened.close());
    return opened;
  };
  return { node, hypervisor: (await open()).contract, open, server: made?.server };
}
