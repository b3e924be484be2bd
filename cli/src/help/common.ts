import type { OptionSpec } from '../command-spec.js';
import { parseNumber } from '../commands/parse.js';

/** The options of every command. */
export const globalOptions: readonly OptionSpec[] = [
  { flags: '--endpoint <url>', text: 'The server to ask: http://HOST:PORT or unix:PATH. In the environment: VBS_ENDPOINT.' },
  { flags: '--config <file>', text: 'The configuration file of the store. In the environment: VBS_CONFIG.' },
  {
    flags: '--data-dir <folder>',
    text: 'Where the store of the embedded default lies. In the environment: VBS_DATA_DIR.',
    usually: '$XDG_DATA_HOME/vbs or ~/.local/share/vbs; /var/lib/vbs for root',
  },
  {
    flags: '--output <format>',
    text: 'table, for people, or json: exactly what the REST server answers, sizes in bytes.',
    choices: ['table', 'json'],
    usually: 'table',
  },
  { flags: '--quiet', text: 'Print ids alone, and no notes but that there are more.' },
  { flags: '--verbose', text: 'Say which store is used, and show the log of the core, on standard error.' },
];

/** Of commands that make the embedded default. */
export const nbdPortOption: OptionSpec = {
  flags: '--nbd-port <port>',
  text: 'The NBD port on 127.0.0.1 of the embedded default; 0 is any that is free.',
  parse: parseNumber(0, 65_535),
  usually: '0',
};

/** The exit statuses of every command. */
export const exitStatuses: readonly (readonly [status: string, text: string])[] = [
  ['0', 'Done.'],
  ['1', 'Refused or failed: the code and what to do stand on standard error.'],
  ['2', 'Wrong usage: an unknown command or option, a missing or illegal argument (INVALID_ARGUMENT). Nothing was changed.'],
  ['3', '--timeout was over before the operation had ended: it goes on.'],
  ['130, 143', 'Interrupted by Ctrl-C, or by SIGTERM: the operation goes on.'],
];

export const environment: readonly (readonly [name: string, text: string])[] = [
  ['VBS_ENDPOINT', 'As --endpoint. An option wins over all three of these variables, and VBS_ENDPOINT over the other two.'],
  ['VBS_CONFIG', 'As --config; wins over VBS_DATA_DIR.'],
  ['VBS_DATA_DIR', 'As --data-dir.'],
  ['VBS_DEBUG', 'With 1, an error is followed by its causes with their stacks, for a bug report.'],
];

export const whichStore: readonly string[] = [
  'A command asks the server that --endpoint names; else the server that runs on the data directory or on the configuration, which it finds by its socket vbs.sock; else it opens the store itself, for as long as it runs. What would end with the command, such as an attachment through the NBD exporter in this process, is then refused: start a server with vbs serve.',
];
