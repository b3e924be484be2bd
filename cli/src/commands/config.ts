import { failure } from '../client/failure.js';
import { configurationOf } from '../client/find-client.js';
import type { CommandSpec } from '../command-spec.js';
import { printableJson } from '../output/printable.js';

const group = 'The store';

/** What a shown configuration has in place of a plugin or a secret that is no text. */
function plain(_: string, value: unknown): unknown {
  return typeof value === 'function' ? '[function]' : value;
}

const check: CommandSpec = {
  name: 'check',
  group,
  summary: 'Look for faults in a configuration file, without opening anything',
  description: [
    "Reads a configuration file and tells every fault of it at once, those of the plugins' own keys too, each with its place and, for a misspelt key, the nearest legal one. Plugins are loaded and secrets read, so run it as the user of the server.",
    'Whether tools, daemons and folders are there shows when the store is opened: see vbs doctor.',
  ],
  arguments: [{ name: 'file', text: 'YAML or JSON.' }],
  examples: [{ line: 'vbs config check /etc/vbs/vbs.yaml', text: 'Exit status 1 and all faults, or that there is none.' }],
  seeAlso: ['doctor', 'config show'],
  run: async (invocation, context) => {
    const { checkConfiguration } = await import('@vbs/core');
    const file = invocation.argument(0);
    if (file === '') throw failure('INVALID_ARGUMENT', 'file must not be empty', { context: { field: 'file' } });
    await checkConfiguration(file);
    if (!context.json) context.line(`${file}: no fault was found.`);
    return undefined;
  },
};

const show: CommandSpec = {
  name: 'show',
  group,
  summary: 'Show the configuration that a command would use',
  description: ['Shows the configuration after it was read and completed, as JSON: paths are absolute, secrets are [redacted].'],
  examples: [{ line: 'vbs config show --config /etc/vbs/vbs.yaml', text: 'What VBS makes of this file.' }],
  seeAlso: ['config check', 'doctor'],
  run: async (_, context) => {
    const { readConfiguration } = await import('@vbs/core');
    const configuration = await readConfiguration(await configurationOf(context.settings));
    process.stdout.write(`${printableJson(JSON.parse(JSON.stringify(configuration, plain)), 2)}\n`);
    return undefined;
  },
};

export const configCommand: CommandSpec = {
  name: 'config',
  group,
  summary: 'Check or show a configuration',
  description: ['Looks at configurations without opening a store.'],
  examples: [{ line: 'vbs config check vbs.yaml', text: 'Before a server is started with it.' }],
  seeAlso: ['serve', 'doctor'],
  commands: [check, show],
};
