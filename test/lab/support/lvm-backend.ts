import { randomBytes } from 'node:crypto';
import { type Call, type OpenedInstance, openInstance } from '@vbs/core';
import type { Guest } from '@vbs/lab';
import lvmPlugin, { type LvmConfig } from '@vbs/plugin-lvm-iet';
import type { ExecutionContext } from 'ava';
import { silent } from '../../support/store.js';
import { extentBytes, type GroupOptions, type LvmGroup, type LvmGroups, MiB, thinPool } from './lvm-groups.js';

export const newVolumeId = (): string => `vol-0${randomBytes(8).toString('hex')}`;
export const newSnapshotId = (): string => `snap-0${randomBytes(8).toString('hex')}`;

export const call = (): Call => ({
  signal: AbortSignal.timeout(120_000),
  operationId: 'op-00000000000000001',
  epoch: 1,
  log: silent,
  progress: () => undefined,
});

export interface LabBackend {
  readonly group: LvmGroup;
  readonly opened: OpenedInstance<'volumeBackend'>;
  readonly backend: OpenedInstance<'volumeBackend'>['contract'];
}

/** The backend on a group of its own that nobody gets afterwards, whatever the test does to it. */
export async function openBackend(
  t: ExecutionContext,
  guest: Guest,
  groups: LvmGroups,
  options: GroupOptions & { readonly config?: Partial<LvmConfig> } = {},
): Promise<LabBackend> {
  const { config, ...groupOptions } = options;
  const group = await groups.take(groupOptions);
  const opened = await openInstance(lvmPlugin, 'volumeBackend', {
    name: 'vs1/lvm',
    configuration: {
      name: 'vs1/lvm',
      path: '/volumeServers/vs1/backends/lvm',
      plugin: 'lvm-iet',
      default: false,
      openNetwork: false,
      commands: {},
      timeLimits: {},
      config: {
        volumeGroup: group.name,
        blockBytes: extentBytes,
        pieceBytes: MiB,
        ...(groupOptions.thin === true ? { thinPool } : {}),
        ...config,
      },
    },
    machine: guest.machine,
    store: { id: randomBytes(16).toString('hex'), knowsPool: false },
    baseDirectory: '/',
    stateDirectory: '/',
    log: silent,
    retry: { retries: 0, firstPauseMs: 1 },
  });
  t.teardown(() => opened.close());
  return { group, opened, backend: opened.contract };
}
