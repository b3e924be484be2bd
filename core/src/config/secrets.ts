import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Secret } from '../contract/secret.js';
import { secretVariables } from '../model/secret-variables.js';
import { type ConfigurationFault, pointer } from './fault.js';
import { isPlainObject } from './plain-data.js';

const longestSecret = 65_536;
const forOthers = 0o077;

/** Where secrets come from, and where what is wrong with them goes. */
export interface SecretSources {
  readonly baseDirectory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly faults: ConfigurationFault[];
}

/** `{ env: NAME }` or `{ file: path }`, and nothing else in it. */
function isReference(value: unknown): value is { readonly env: string } | { readonly file: string } {
  if (!isPlainObject(value)) return false;
  const keys = Object.keys(value);
  return (
    keys.length === 1 && ((keys[0] === 'env' && typeof value.env === 'string') || (keys[0] === 'file' && typeof value.file === 'string'))
  );
}

/** The text of a secret's file, or what is wrong with it. @throws the error of the system call: it is missing, or may not be read. */
export async function readSecretFile(path: string): Promise<{ readonly text: string } | { readonly fault: string }> {
  // Without O_NONBLOCK the open of a named pipe would wait for its writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) return { fault: `${path} is not a file` };
    if ((stat.mode & forOthers) !== 0) return { fault: `${path} is open to others than its owner; chmod 600 closes it` };
    if (stat.size > longestSecret) return { fault: `${path} is longer than ${longestSecret} bytes` };
    const text = (await file.readFile('utf8')).replace(/\r?\n$/, '');
    return text === '' ? { fault: `${path} is empty` } : { text };
  } finally {
    await file.close();
  }
}

async function resolveReference(reference: { readonly env: string } | { readonly file: string }, at: string, sources: SecretSources) {
  const fault = (message: string) => {
    sources.faults.push({ path: at, message });
    return new Secret('');
  };
  if ('env' in reference) {
    const text = sources.environment[reference.env];
    secretVariables.add(reference.env);
    if (text === undefined || text === '') return fault(`the environment variable ${reference.env} is not set`);
    return new Secret(text);
  }
  const path = resolve(sources.baseDirectory, reference.file);
  try {
    const read = await readSecretFile(path);
    return 'fault' in read ? fault(`the secret's file ${read.fault}`) : new Secret(read.text);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return fault(code === 'ENOENT' ? `the secret's file ${path} is missing` : `the secret's file ${path} cannot be read (${code})`);
  }
}

/** A copy in which every reference to a secret has become the Secret; values that are no plain data are kept as they are. */
export async function resolveSecrets(
  value: unknown,
  at: string,
  sources: SecretSources,
  ancestors: readonly unknown[] = [],
): Promise<unknown> {
  if (isReference(value)) return resolveReference(value, at, sources);
  const isList = Array.isArray(value);
  if (!isList && !isPlainObject(value)) return value;
  if (ancestors.includes(value)) {
    sources.faults.push({ path: at, message: 'contains itself' });
    return null;
  }
  const entries: [string, unknown][] = [];
  for (const [key, item] of Object.entries<unknown>(value))
    entries.push([key, await resolveSecrets(item, pointer(at, key), sources, [...ancestors, value])]);
  return isList ? entries.map(([, item]) => item) : Object.fromEntries(entries);
}
