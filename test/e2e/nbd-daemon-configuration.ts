import { join } from 'node:path';

/** The volume servers of the test stores, with an NBD server that is a process of its own. */
export function ownServer(directory: string): { readonly volumeServers: object } {
  return {
    volumeServers: {
      vs1: {
        backends: { files: { plugin: 'file', directory: join(directory, 'pool') } },
        exporters: { nbd: { plugin: 'nbd', process: 'own', port: 0 } },
      },
    },
  };
}
