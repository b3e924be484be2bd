import path from 'node:path';
import { serve } from '@vbs/server';
import { serveParent } from '../harness/serve-parent.js';

export interface RestServerArgument {
  /** Where the store lies. */
  readonly directory: string;
}

export interface RestServerReady {
  readonly origin: string;
}

await serveParent<RestServerArgument, RestServerReady>(async ({ directory }) => {
  const server = await serve({
    configuration: {
      database: { client: 'sqlite3', filename: path.join(directory, 'vbs.sqlite') },
      plugins: ['@vbs/plugin-file', '@vbs/plugin-nbd', '@vbs/plugin-sandbox'],
      volumeServers: {
        vs1: {
          backends: { files: { plugin: 'file', directory: path.join(directory, 'pool') } },
          exporters: { nbd: { plugin: 'nbd', port: 0 } },
        },
      },
      vmmNodes: { sandbox: { hypervisor: { plugin: 'sandbox', vms: { vm1: {} } } } },
    },
    socket: null,
  });
  return { ready: { origin: server.url }, close: () => server.close() };
});
