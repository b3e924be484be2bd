import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Call, LocalMachine, Logger, Machine } from '@vbs/core';
import type { InstanceConfiguration } from '@vbs/core/internal/config/configuration.js';
import type { ExecutionContext } from 'ava';

export interface LogLine {
  readonly level: keyof Logger;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export function memoryLog(): { readonly log: Logger; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: keyof Logger) => (fields: object, message: string) => {
    lines.push({ level, fields: { ...fields }, message });
  };
  return { lines, log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } };
}

export function testCall(overrides: Partial<Call> = {}): Call {
  return {
    signal: new AbortController().signal,
    operationId: 'op-00000000000000001',
    epoch: 1,
    log: memoryLog().log,
    progress: () => undefined,
    ...overrides,
  };
}

export async function temporaryDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'vbs-test-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const refuse = async (): Promise<never> => {
  throw new Error('this test has no tools');
};

export function fakeMachine(name = 'remote', bootId = 'boot-1'): Machine {
  return {
    name,
    run: refuse,
    start: refuse,
    find: refuse,
    stop: refuse,
    readFile: refuse,
    writeFile: refuse,
    listDirectory: refuse,
    look: refuse,
    waitForPath: refuse,
    settle: async () => undefined,
    stateDirectory: async () => '/nonexistent',
    bootId: async () => bootId,
  };
}

export function fakeLocalMachine(): LocalMachine {
  return { ...fakeMachine('local', 'boot-local'), guarded: async (_call, _resource, act) => act() };
}

export function instanceConfiguration(overrides: Partial<InstanceConfiguration> & { readonly name: string }): InstanceConfiguration {
  return {
    path: `/instances/${overrides.name}`,
    plugin: 'test',
    default: false,
    openNetwork: false,
    commands: {},
    timeLimits: {},
    config: {},
    ...overrides,
  };
}

export const noKeys = { type: 'object', additionalProperties: false } as const;
