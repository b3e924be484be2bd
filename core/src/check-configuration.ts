import type { Configuration } from './config/configuration.js';
import { readConfiguration } from './config/index.js';
import { defaultLogger } from './default-logger.js';
import { planInstances } from './delegate/plan-instances.js';
import { DefaultMachines } from './machine/machines.js';
import { loadPlugins } from './plugin/load-plugins.js';

/**
 * Finds every fault of a configuration that shows before anything is opened: its own, and each plugin's by its schema. Plugins are
 * loaded and secrets read; nothing is made, and no tool is run.
 * @throws CONFIG_INVALID, PLUGIN_INVALID: every fault at once, in `context.faults`.
 */
export async function checkConfiguration(source: object | string): Promise<Configuration> {
  const configuration = await readConfiguration(source);
  const plugins = await loadPlugins(configuration.plugins, configuration.baseDirectory);
  const { stateDirectory } = configuration;
  planInstances(configuration, plugins, new DefaultMachines({ stateDirectory, log: defaultLogger() }));
  return configuration;
}
