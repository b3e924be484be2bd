import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type ConfigurationFault, configInvalid } from './fault.js';
import { parseConfigurationText } from './parse-document.js';

const longestConfiguration = 4 * 1024 * 1024;

export interface ReadSource {
  /** Names it in messages. */
  readonly title: string;
  readonly directory: string;
  readonly value: unknown;
}

async function readText(path: string): Promise<string> {
  const file = await open(path);
  try {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of file.createReadStream({ end: longestConfiguration, autoClose: false })) {
      const bytes = chunk as Buffer;
      length += bytes.length;
      chunks.push(bytes);
    }
    if (length > longestConfiguration) throw new RangeError(`it is longer than ${longestConfiguration} bytes`);
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    await file.close();
  }
}

function unreadable(path: string, error: unknown): ConfigurationFault {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  if (code === 'ENOENT') return { path: '', message: `there is no file ${path}` };
  return { path: '', message: `the file ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}` };
}

/** Reads a YAML or JSON file. @throws CONFIG_INVALID: it cannot be read, or is no YAML. */
export async function readSource(file: string): Promise<ReadSource> {
  const path = resolve(file);
  const title = `The configuration ${path}`;
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    throw configInvalid(title, [unreadable(path, error)]);
  }
  const { value, faults } = parseConfigurationText(text);
  if (faults.length > 0) throw configInvalid(title, faults);
  if (value === null || value === undefined) throw configInvalid(title, [{ path: '', message: 'is empty' }]);
  return { title, directory: dirname(path), value };
}
