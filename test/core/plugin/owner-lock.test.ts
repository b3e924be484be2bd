import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { definePlugin, hypervisor, isVbsError } from '@vbs/core';
import { openInstance } from '@vbs/core/internal/plugin/open-instance.js';
import test, { type ExecutionContext } from 'ava';
import { asNobody, nobody, testAsNobody } from '../../support/as-nobody.js';
import { fakeLocalMachine, instanceConfiguration, memoryLog, noKeys, temporaryDirectory, testCall } from './fixtures.js';
import { processPlugin } from './process-plugin.js';

const name = 'sandbox/hypervisor';

function open(stateDirectory: string, plugin = processPlugin, lifecycleLimitMs = 2_000) {
  return openInstance(plugin, 'hypervisor', {
    name,
    configuration: instanceConfiguration({ name }),
    machine: fakeLocalMachine(),
    store: { id: 'a'.repeat(32), knowsPool: false },
    baseDirectory: stateDirectory,
    stateDirectory,
    log: memoryLog().log,
    graceMs: 50,
    lifecycleLimitMs,
  });
}

/** What `owner-child.js` says: whether it owns the instance, or why it could not open it. */
interface Answer {
  readonly ownedHere?: boolean;
  readonly code?: string;
  readonly message?: string;
}

async function answerOfChild(
  t: ExecutionContext,
  stateDirectory: string,
  user: SpawnOptions = {},
): Promise<{ child: ChildProcess; answer: Answer }> {
  const script = fileURLToPath(new URL('owner-child.js', import.meta.url));
  const child = spawn(process.execPath, [script, stateDirectory, name], { stdio: ['pipe', 'pipe', 'inherit'], ...user });
  t.teardown(() => child.kill('SIGKILL'));
  if (child.stdout === null) throw new Error('the child has no output');
  for await (const line of createInterface({ input: child.stdout })) return { child, answer: JSON.parse(line) as Answer };
  throw new Error('the child said nothing');
}

async function ownerProcess(t: ExecutionContext, stateDirectory: string): Promise<{ child: ChildProcess; ownedHere: boolean }> {
  const { child, answer } = await answerOfChild(t, stateDirectory);
  if (answer.ownedHere === undefined) throw new Error(`the child could not open the instance: ${answer.message}`);
  return { child, ownedHere: answer.ownedHere };
}

async function isRefusedNaming(t: ExecutionContext, stateDirectory: string, pid: number | undefined): Promise<void> {
  const opened = await open(stateDirectory);
  t.false(opened.ownedHere);
  const error = await t.throwsAsync(opened.contract.listDevices(testCall()));
  if (!isVbsError(error)) throw new Error('no VbsError', { cause: error });
  t.is(error.code, 'FAILED_PRECONDITION');
  t.deepEqual(error.context.owner, { pid, endpoint: 'http://127.0.0.1:8080' });
  t.regex(error.message, new RegExp(`${pid}.*http://127\\.0\\.0\\.1:8080`));
  t.deepEqual(await opened.check(testCall()), []);
  await opened.close();
}

test('safety F1 › an instance of lifetime process is owned by one process, and others name it', async (t) => {
  const directory = await temporaryDirectory(t);
  const { child, ownedHere } = await ownerProcess(t, directory);
  t.true(ownedHere);
  await isRefusedNaming(t, directory, child.pid);

  // An orderly end frees it.
  child.stdin?.end();
  await once(child, 'exit');
  const mine = await open(directory);
  t.true(mine.ownedHere);
  t.deepEqual(await mine.contract.listDevices(testCall()), []);
  await mine.close();
});

test('safety F1 › the kernel frees the ownership of a process that was killed', async (t) => {
  const directory = await temporaryDirectory(t);
  const { child } = await ownerProcess(t, directory);
  await isRefusedNaming(t, directory, child.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const mine = await open(directory);
  t.true(mine.ownedHere);

  const other = await ownerProcess(t, directory);
  t.false(other.ownedHere);
  await mine.close();
});

test('safety F1 › two stores of one process do not share an instance', async (t) => {
  const directory = await temporaryDirectory(t);
  const first = await open(directory);
  const second = await open(directory);
  t.true(first.ownedHere);
  t.false(second.ownedHere);
  const error = await t.throwsAsync(second.contract.identifyVm(testCall(), { vmId: 'vm1' }));
  t.true(isVbsError(error) && (error.context.owner as { pid: number }).pid === process.pid);
  await second.close();
  t.false((await open(directory)).ownedHere);
  await first.close();
  const third = await open(directory);
  t.true(third.ownedHere);
  await third.close();
});

test('safety F1 › the lock of an instance is one file of the folder owners, whatever its name', async (t) => {
  const directory = await temporaryDirectory(t);
  const opened = await open(directory);
  t.deepEqual(await readdir(path.join(directory, 'owners')), ['sandbox%2Fhypervisor.lock']);
  await opened.close();
});

function pluginThat(body: {
  open?: (signal: AbortSignal) => Promise<void>;
  listDevices?: () => Promise<never>;
  close?: () => Promise<void>;
}) {
  const { hypervisor: whole } = processPlugin.provides;
  return definePlugin({
    name: 'in-process',
    apiVersion: 1,
    provides: {
      hypervisor: hypervisor({
        ...whole,
        configSchema: noKeys,
        open: async (instance, call) => {
          await body.open?.(call.signal);
          return {
            ...(await whole.open(instance, call)),
            ...(body.listDevices === undefined ? {} : { listDevices: body.listDevices }),
            ...(body.close === undefined ? {} : { close: body.close }),
          };
        },
      }),
    },
  });
}

test('safety F1 › an instance that could not be opened is free again', async (t) => {
  const directory = await temporaryDirectory(t);
  const failing = pluginThat({
    open: async () => {
      throw new Error('the port is in use');
    },
  });
  const error = await t.throwsAsync(open(directory, failing), { message: /the port is in use/ });
  t.true(isVbsError(error) && error.code === 'INTERNAL' && error.context.instance === name);
  const opened = await open(directory);
  t.true(opened.ownedHere);
  await opened.close();
});

test('safety F1 › what opens after its limit is closed, and keeps its ownership until then', async (t) => {
  const directory = await temporaryDirectory(t);
  let closed = 0;
  let go = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  const slow = pluginThat({
    open: () => gate,
    close: async () => {
      closed += 1;
    },
  });
  const error = await t.throwsAsync(open(directory, slow));
  t.true(isVbsError(error) && error.code === 'DEADLINE_EXCEEDED');
  t.false((await open(directory)).ownedHere);
  go();
  while (closed === 0) await pause(5);
  await pause(20);
  const opened = await open(directory);
  t.true(opened.ownedHere);
  await opened.close();
});

test('safety B2, F1 › an instance of which a call still runs is not given free at close', async (t) => {
  const directory = await temporaryDirectory(t);
  const opened = await open(directory, pluginThat({ listDevices: () => new Promise(() => undefined) }));
  const caller = new AbortController();
  const call = opened.contract.listDevices(testCall({ signal: caller.signal }));
  caller.abort();
  await t.throwsAsync(call);
  const error = await t.throwsAsync(opened.close());
  t.true(isVbsError(error) && error.code === 'DEADLINE_EXCEEDED');
  t.false((await open(directory)).ownedHere);
});

testAsNobody(asNobody('openInstance › a state directory that cannot be written is PERMISSION_DENIED'), async (t) => {
  const directory = await temporaryDirectory(t);
  await chmod(directory, 0o555);
  const { answer } = await answerOfChild(t, directory, nobody);
  t.is(answer.code, 'PERMISSION_DENIED', answer.message);
  t.true(answer.message?.includes(directory));
});

test('openInstance › a state directory that is none is told with its path', async (t) => {
  const directory = path.join(await temporaryDirectory(t), 'file');
  await writeFile(directory, '');
  const error = await t.throwsAsync(open(directory));
  t.true(isVbsError(error));
  t.true(error?.message.includes(directory));
});

test('openInstance › open is told when its limit is over, and not after it has ended', async (t) => {
  const directory = await temporaryDirectory(t);
  let told: AbortSignal | undefined;
  const hanging = pluginThat({
    open: (signal) => {
      told = signal;
      return once(signal, 'abort').then(() => signal.throwIfAborted());
    },
  });
  const error = await t.throwsAsync(open(directory, hanging, 50));
  t.true(isVbsError(error) && error.code === 'DEADLINE_EXCEEDED');
  t.true(told?.aborted);

  const quick = pluginThat({
    open: async (signal) => {
      told = signal;
    },
  });
  let opened = await open(directory, quick, 50);
  for (let tries = 0; !opened.ownedHere && tries < 100; tries += 1) {
    await pause(10);
    opened = await open(directory, quick, 50);
  }
  t.true(opened.ownedHere);
  await pause(100);
  t.false(told?.aborted);
  await opened.close();
});
