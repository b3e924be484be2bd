import type { CommandSpec } from '../command-spec.js';
import { nbdPortOption } from '../help/common.js';
import { defaultPort, runServer } from '../serve/run-server.js';
import { given } from './describe.js';
import { parseNumber } from './parse.js';

export const serveCommand: CommandSpec = {
  name: 'serve',
  group: 'The store',
  summary: 'Run the REST server',
  description: [
    'Opens the store of the configuration, or the embedded default of the data directory, and serves it over HTTP and over the Unix socket vbs.sock of its state directory, by which other commands find it. One line on standard output says that it is ready and where; the log goes to standard error, as JSON lines.',
    'SIGTERM or SIGINT ends it: it takes no new work, answers what is in flight, closes what lives in the process, and exits 0 within 15 seconds; a second signal ends it at once. Attachments are put back at the next start.',
    'Nobody is asked who he is: whoever reaches its port may do everything. It listens on 127.0.0.1 unless --host says otherwise.',
  ],
  options: [
    { flags: '--host <address>', text: 'Where it listens.', usually: '127.0.0.1' },
    {
      flags: '--allow-host <name>',
      text: 'A further name by which it may be asked (the Host of a request), such as that of a proxy; several with commas.',
    },
    { flags: '--port <port>', text: 'The TCP port; 0 is any that is free.', parse: parseNumber(0, 65_535), usually: String(defaultPort) },
    {
      flags: '--socket <path>',
      text: 'The Unix socket. Commands find the server only at the usual place.',
      usually: 'vbs.sock in the state directory',
    },
    nbdPortOption,
    {
      flags: '--log-level <level>',
      text: 'What the log tells.',
      choices: ['debug', 'info', 'warn', 'error'],
      usually: 'info',
    },
  ],
  examples: [
    { line: 'vbs serve', text: 'The embedded default: files, NBD on 127.0.0.1, a sandbox with vm1 and vm2.' },
    { line: 'vbs serve --config /etc/vbs/vbs.yaml --log-level warn', text: 'A configured store.' },
  ],
  exitStatus: [
    ['0', 'Ended by SIGTERM or SIGINT, and closed in order.'],
    ['1', 'It could not start, or could not be closed in order.'],
    ['2', 'Wrong usage.'],
    ['130, 143', 'Ended at once, by a second signal.'],
  ],
  seeAlso: ['doctor', 'config', 'nbd-server'],
  run: async (invocation, context) => {
    await runServer(context, {
      host: invocation.text('host') ?? '127.0.0.1',
      port: invocation.number('port') ?? defaultPort,
      level: invocation.text('logLevel') ?? 'info',
      ...given('hosts', invocation.text('allowHost')?.split(',')),
      ...given('socket', invocation.text('socket')),
    });
    return undefined;
  },
};
