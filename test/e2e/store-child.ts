/**
 * A small program that embeds the store and never calls process.exit: it ends by itself, or hangs if the store leaves something
 * open. Arguments: the configuration file, then what to do. Prints a line of JSON for each thing that happened.
 */
import { openBlockStore } from '@vbs/core';
import file from '@vbs/plugin-file';
import nbd from '@vbs/plugin-nbd';
import { createSandbox } from '@vbs/plugin-sandbox';
import { configurationOf, silent, vmmHost } from '../support/store.js';

const [, , source = '', act = 'describe'] = process.argv;
const tell = (what: object): void => console.log(JSON.stringify(what));

/** Opens a configuration file, tells what is in it, or why it cannot be opened. */
async function describe(): Promise<void> {
  await using store = await openBlockStore(source, { logger: silent });
  const { items } = await store.describeVolumes();
  tell({ volumes: items.map(({ id, state }) => `${id} ${state}`) });
}

/** Opens a store in a folder, attaches a volume, writes and flushes, and goes on until it is told to end. */
async function serve(): Promise<void> {
  const sandbox = createSandbox();
  const plugins = [file, nbd, sandbox.plugin];
  const store = await openBlockStore(configurationOf(source, plugins) as never, { logger: silent });
  // Without a timer of its own the program would end here: the store holds no process open while nothing listens.
  const alive = setInterval(() => undefined, 1_000);
  process.once('SIGTERM', () => {
    clearInterval(alive);
    void store.close().then(() => tell({ closed: true }));
  });
  const { id: volumeId } = await store.createVolume({ size: '1MiB' }, { wait: true });
  const { connection } = await store.attachVolume({ volumeId, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
  const disk = sandbox.vm(vmmHost, 'vm1').disk('xvdb');
  await disk.write(4096, Buffer.alloc(4096, 'flushed '));
  await disk.flush();
  tell({ pid: process.pid, volumeId, connection });
}

try {
  await (act === 'serve' ? serve() : describe());
} catch (error) {
  const { code, message, context } = error as { code?: string; message: string; context?: object };
  tell({ code, message, context });
}
