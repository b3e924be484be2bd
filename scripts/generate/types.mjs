import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compile } from 'json-schema-to-typescript';
import { updateFiles } from './update-files.mjs';

const generatedFolder = 'schemas/src/generated';
const suffix = '.schema.json';
const idPrefix = 'https://vbs.local/schemas/';

/** Writes the TypeScript types of schemas/. */
export async function generateTypes({ root, check }) {
  const types = await typesOf(join(root, 'schemas'));
  const files = new Map([...types].map(([name, text]) => [`${generatedFolder}/${name}`, text]));
  return updateFiles(files, { root, check, ownFolder: generatedFolder });
}

/** The other schemas that a schema refers to, by their names. */
function referencedNames(text) {
  const names = [...text.matchAll(/"\$ref":\s*"https:\/\/vbs\.local\/schemas\/([a-z-]+)\.schema\.json"/g)].map(([, name]) => name);
  return [...new Set(names)].sort();
}

async function typesOf(folder) {
  // `$ref`s name schemas by their absolute `$id`: they are read from the folder.
  const localSchemas = {
    order: 1,
    canRead: (file) => file.url.startsWith(idPrefix),
    read: (file) => readFile(join(folder, file.url.slice(idPrefix.length)), 'utf8'),
  };
  const names = (await readdir(folder)).filter((file) => file.endsWith(suffix)).map((file) => file.slice(0, -suffix.length));
  const schemas = new Map();
  for (const name of names.sort()) {
    const text = await readFile(join(folder, `${name}${suffix}`), 'utf8');
    schemas.set(name, { text, schema: JSON.parse(text) });
  }
  const files = new Map();
  for (const [name, { text, schema }] of schemas) {
    const imports = referencedNames(text).map((other) => `import type { ${schemas.get(other).schema.title} } from './${other}.js';\n`);
    const types = await compile(schema, schema.title, {
      additionalProperties: false,
      bannerComment: `// Generated from schemas/${name}${suffix} by npm run generate: change that, not this.`,
      cwd: `${folder}/`,
      // Another schema's types come from its own file; a schema without such references declares its own $defs.
      declareExternallyReferenced: imports.length === 0,
      ignoreMinAndMaxItems: true,
      unknownAny: true,
      style: { singleQuote: true, printWidth: 140 },
      $refOptions: { resolve: { vbs: localSchemas, http: false } },
    });
    files.set(`${name}.ts`, types.replace('\n\n', `\n${imports.join('')}\n`));
  }
  files.set('index.ts', [...schemas.keys()].map((name) => `export type * from './${name}.js';\n`).join(''));
  return files;
}
