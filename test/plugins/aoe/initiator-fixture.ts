import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Call, type ConnectRequest, type Machine, type OpenedInstance, openInstance } from '@vbs/core';
import aoePlugin from '@vbs/plugin-aoe';
import type { AoeInitiatorConfig } from '@vbs/plugin-aoe/internal/initiator/provider.js';
import type { ExecutionContext } from 'ava';
import { AoeNode } from '../../stand-ins/aoe/aoe-node.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { AoeSegment, type SegmentExport } from '../../stand-ins/vblade/segment.js';

export const KiB = 1024;
export const mac = '02:00:00:00:00:0a';
export const otherMac = '02:00:00:00:00:0b';
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

let drawn = 0;

/** The vblade of one export. */
export interface Target {
  readonly request: ConnectRequest<'aoe'>;
  readonly file: string;
  /** Starts vblade again, with another size where one is given. */
  start(sizeBytes?: number): Promise<void>;
  stop(): void;
}

export interface TargetOptions {
  readonly slot?: number;
  readonly sizeBytes?: number;
  readonly masks?: readonly string[];
  readonly isStarted?: boolean;
}

export interface Fixture {
  readonly directory: string;
  readonly node: AoeNode;
  readonly segment: AoeSegment;
  readonly machine: StandInMachine;
  readonly initiator: OpenedInstance<'initiator'>;
  open(options?: { readonly config?: Partial<AoeInitiatorConfig>; readonly machine?: Machine }): Promise<OpenedInstance<'initiator'>>;
  target(options?: TargetOptions): Promise<Target>;
}

/** A node on a segment of its own, with an opened initiator. */
export async function makeFixture(t: ExecutionContext, machineOptions: { readonly takesMs?: number } = {}): Promise<Fixture> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-aoe-'));
  const root = join(directory, 'root');
  const segment = new AoeSegment();
  const interfaces = [
    { name: 'eth1', mac },
    { name: 'eth2', mac: otherMac },
  ];
  const node = await AoeNode.make({ root, segment, interfaces });
  const stateDirectory = join(directory, 'state');
  const machine = new StandInMachine({ name: 'node1', root, stateDirectory, tools: node.tools, ...machineOptions });
  const open: Fixture['open'] = ({ config = {}, machine: given = machine } = {}) =>
    openInstance(aoePlugin, 'initiator', {
      name: 'node1/aoe',
      configuration: {
        name: 'node1/aoe',
        path: '/vmmNodes/node1/initiators/aoe',
        plugin: 'aoe',
        default: false,
        openNetwork: false,
        commands: {},
        timeLimits: {},
        config: { interfaces: ['eth1'], ...config },
      },
      machine: given,
      store: { id: '0123456789abcdef0123456789abcdef', knowsPool: false },
      baseDirectory: directory,
      stateDirectory,
      log: silent,
      retry: { retries: 0, firstPauseMs: 1 },
    });
  t.teardown(async () => {
    node.close();
    await node.settled();
    await rm(directory, { recursive: true, force: true });
  });
  const target: Fixture['target'] = async ({ slot = drawn % 250, sizeBytes = 64 * KiB, masks = [], isStarted = true } = {}) => {
    const number = ++drawn;
    const file = join(directory, `volume-${number}`);
    await writeFile(file, '');
    let withdraw = (): void => undefined;
    const start = async (bytes = sizeBytes): Promise<void> => {
      await truncate(file, bytes);
      const pid = 10_000 + ++drawn;
      withdraw = segment.announce(shown({ shelf: 1, slot, file, sectors: Math.floor(bytes / 512), masks, pid }));
    };
    if (isStarted) await start();
    const connection = { protocol: 'aoe', key: `e1.${slot}`, shelf: 1, slot, serial: `vol${String(number).padStart(17, '0')}` } as const;
    const attachmentId = `att-${String(number).padStart(17, '0')}`;
    const request = { attachmentId, connection, sizeBytes, access: 'read-write' } as const;
    return { request, file, start, stop: () => withdraw() };
  };
  return { directory, node, segment, machine, initiator: await open(), open, target };
}

function shown(given: Pick<SegmentExport, 'shelf' | 'slot' | 'file' | 'sectors' | 'masks' | 'pid'>): SegmentExport {
  const { shelf, slot, file } = given;
  return { ...given, path: file, readOnly: false, netif: 'eth0', serial: `${shelf}.${slot}:vs1` };
}
