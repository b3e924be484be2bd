import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageFolders } from '../workspace.mjs';

/** What the plugins of the workspace provide, as their manifests say, a row for each provider. */
export async function manifestRows(root) {
  const rows = [];
  for (const folder of packageFolders(root).filter((name) => name.startsWith('plugins/'))) {
    const { name, exports } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const { default: plugin } = await import(pathToFileURL(join(root, folder, exports['.'].default)).href);
    for (const [kind, provider] of Object.entries(plugin.provides)) {
      const { capabilities, machine, protocol, locators, accepts, opens } = provider;
      const speaks = [
        locators && `gives ${locators.join(', ')}`,
        accepts && `takes ${accepts.join(', ')}`,
        protocol && `speaks ${protocol}`,
        opens && opens.length > 0 && `opens ${opens.join(', ')}`,
      ];
      rows.push({ plugin: plugin.name, packageName: name, folder, kind, capabilities, machine, speaks: speaks.filter(Boolean).join('; ') });
    }
  }
  return rows;
}
