/**
 * Writes what is generated from schemas/: the TypeScript types. `node scripts/generate.mjs` writes,
 * `node scripts/generate.mjs --check` changes nothing and exits 1 when a file is missing, differs or is left over.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { compile } from 'json-schema-to-typescript';

const schemasFolder = new URL('../schemas/', import.meta.url);
const generatedFolder = new URL('src/generated/', schemasFolder);
const suffix = '.schema.json';
const idPrefix = 'https://vbs.local/schemas/';

/** `$ref`s name schemas by their absolute `$id`: read them from the folder. */
const localSchemas = {
  order: 1,
  canRead: (file) => file.url.startsWith(idPrefix),
  read: (file) => readFile(new URL(file.url.slice(idPrefix.length), schemasFolder), 'utf8'),
};

/** The other schemas that a schema refers to, by their names. */
function referencedNames(text) {
  const names = [...text.matchAll(/"\$ref":\s*"https:\/\/vbs\.local\/schemas\/([a-z-]+)\.schema\.json"/g)].map(([, name]) => name);
  return [...new Set(names)].sort();
}

async function generateTypes() {
  const names = (await readdir(schemasFolder)).filter((file) => file.endsWith(suffix)).map((file) => file.slice(0, -suffix.length));
  const schemas = new Map();
  for (const name of names.sort()) {
    const text = await readFile(new URL(`${name}${suffix}`, schemasFolder), 'utf8');
    schemas.set(name, { text, schema: JSON.parse(text) });
  }
  const files = new Map();
  for (const [name, { text, schema }] of schemas) {
    const imports = referencedNames(text).map((other) => `import type { ${schemas.get(other).schema.title} } from './${other}.js';\n`);
    const types = await compile(schema, schema.title, {
      additionalProperties: false,
      bannerComment: `// Generated from schemas/${name}${suffix} by npm run generate: change that, not this.`,
      cwd: fileURLToPath(schemasFolder),
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

async function present() {
  try {
    return await readdir(generatedFolder);
  } catch (error) {
    if (error.code === 'ENOENT') return [];
    throw error;
  }
}

const check = process.argv.includes('--check');
const files = await generateTypes();
const leftOver = (await present()).filter((file) => !files.has(file));
const changed = [];
if (!check) await mkdir(generatedFolder, { recursive: true });
for (const [file, text] of files) {
  const url = new URL(file, generatedFolder);
  const old = (await present()).includes(file) ? await readFile(url, 'utf8') : undefined;
  if (old === text) continue;
  changed.push(file);
  if (!check) await writeFile(url, text);
}
if (!check) for (const file of leftOver) await rm(new URL(file, generatedFolder));
for (const file of [...changed, ...leftOver]) console.log(`schemas/src/generated/${file} ${check ? 'is not up to date' : 'written'}`);
if (check && changed.length + leftOver.length > 0) {
  console.error('Run npm run generate and commit what it writes.');
  process.exitCode = 1;
}
