import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isVbsError } from '@vbs/core';
import { type ConfigurationFault, type ReadConfigurationOptions, readConfiguration } from '@vbs/core/internal/config/index.js';
import type { ExecutionContext } from 'ava';

/** A folder that goes away with the test. */
export async function temporaryDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-config-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A configuration file in a folder of its own. */
export async function configurationFile(t: ExecutionContext, text: string, name = 'vbs.yaml'): Promise<string> {
  const path = join(await temporaryDirectory(t), name);
  await writeFile(path, text);
  return path;
}

/** The faults for which a configuration is refused; none when it is taken. */
export async function faultsOf(source: string | object, options?: ReadConfigurationOptions): Promise<readonly ConfigurationFault[]> {
  try {
    await readConfiguration(source, options);
    return [];
  } catch (error) {
    if (!isVbsError(error) || error.code !== 'CONFIG_INVALID') throw error;
    return error.context.faults as readonly ConfigurationFault[];
  }
}
