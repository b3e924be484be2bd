/**
 * A VBS that is about to be killed: a store in a folder, whose NBD server is a process of its own. Attaches a volume, writes and
 * flushes, prints a line of JSON, and stays until it is ended. Argument: the folder.
 */
import { openBlockStore } from '@vbs/core';
import file from '@vbs/plugin-file';
import nbd from '@vbs/plugin-nbd';
import { createSandbox } from '@vbs/plugin-sandbox';
import { configurationOf, silent, vmmHost } from '../support/store.js';
import { ownServer } from './nbd-daemon-configuration.js';

const [, , directory = ''] = process.argv;
setInterval(() => undefined, 1_000);
const sandbox = createSandbox();
const configuration = configurationOf(directory, [file, nbd, sandbox.plugin], { configuration: ownServer(directory) });
const store = await openBlockStore(configuration as never, { logger: silent });
const { id: volumeId } = await store.createVolume({ size: '1MiB' }, { wait: true });
const { id: attachmentId, connection } = await store.attachVolume({ volumeId, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
const disk = sandbox.vm(vmmHost, 'vm1').disk('xvdb');
await disk.write(4096, Buffer.alloc(4096, 'flushed '));
await disk.flush();
console.log(JSON.stringify({ volumeId, attachmentId, connection }));
