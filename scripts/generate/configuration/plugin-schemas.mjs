import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SetupError } from '../../setup/setup-error.mjs';

/** Every published configuration schema of the workspace's plugins, with the plugin and the kind of instance that it is of. */
export async function pluginSchemas(root) {
  const folders = readdirSync(join(root, 'plugins')).filter((name) => existsSync(join(root, 'plugins', name, 'package.json')));
  const found = await Promise.all(folders.sort().map((name) => schemasOf(root, `plugins/${name}`)));
  return found.flat();
}

async function schemasOf(root, folder) {
  const names = readdirSync(join(root, folder)).filter((name) => name.endsWith('.schema.json'));
  if (names.length === 0) return [];
  const { name: packageName } = JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8'));
  const { default: plugin } = await import(pathToFileURL(join(root, folder, 'dist/index.js')).href);
  return Promise.all(
    names.sort().map(async (name) => {
      const file = `${folder}/${name}`;
      const schema = JSON.parse(await readFile(join(root, file), 'utf8'));
      const provided = Object.entries(plugin.provides).find(([, { configSchema }]) => configSchema.title === schema.title);
      if (provided === undefined)
        throw new SetupError(`${file}: no provider of the plugin ${plugin.name} has a schema with the title ${schema.title}`);
      const [kind, { capabilities }] = provided;
      return { file, folder, schema, kind, capabilities, plugin: plugin.name, packageName };
    }),
  );
}
