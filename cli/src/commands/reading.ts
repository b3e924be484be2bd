import type { Event } from '@vbs/schemas';
import type { Client } from '../client/client.js';
import type { CommandSpec } from '../command-spec.js';
import type { Context } from '../context/context.js';
import { printableJson } from '../output/printable.js';
import { humanTime } from '../output/sizes.js';
import { poolView, routeView, type View } from '../output/views.js';
import { given } from './describe.js';
import { parseNumber } from './parse.js';

const group = 'Looking after it';

async function printItems<T>(context: Context, view: View<T>, read: (client: Client) => Promise<readonly T[]>): Promise<undefined> {
  await context.withClient(async (client) => {
    const items = await read(client);
    await context.printList(items, view, { items });
  });
  return undefined;
}

export const poolsCommand: CommandSpec = {
  name: 'pools',
  group,
  summary: 'Show what the backends have, and what they can do',
  description: [
    'Asks every backend what it can hold, what is free and what its volumes may grow to together; one that does not answer says why.',
  ],
  examples: [{ line: 'vbs pools', text: 'Sizes, the default backend, and capabilities such as live-snapshot.' }],
  seeAlso: ['create-volume', 'routes', 'doctor'],
  run: (_, context) => printItems(context, poolView, (client) => client.pools(context.signal)),
};

export const routesCommand: CommandSpec = {
  name: 'routes',
  group,
  summary: 'Show the ways from backends to VMM hosts',
  description: ['Shows which exporter and which initiator bring the volumes of each backend to each VMM host, or why there is no way.'],
  examples: [{ line: 'vbs routes', text: 'One line for each backend and VMM host.' }],
  seeAlso: ['attach-volume', 'pools', 'doctor'],
  run: (_, context) => printItems(context, routeView, (client) => client.routes(context.signal)),
};

export const eventsCommand: CommandSpec = {
  name: 'events',
  group,
  summary: 'Follow what happens',
  description: [
    'Prints what happens to volumes, snapshots, attachments and operations, as it happens, until it is interrupted. Every event has a sequence that grows: --after goes on behind the last one that you have dealt with. The newest 100,000 are kept.',
    'With --output json each event is one line.',
  ],
  options: [
    {
      flags: '--after <sequence>',
      text: 'Begin behind this event; 0 is the oldest.',
      parse: parseNumber(0, Number.MAX_SAFE_INTEGER),
      usually: 'from now on',
    },
    { flags: '--limit <number>', text: 'End after so many events.', parse: parseNumber(1, Number.MAX_SAFE_INTEGER), usually: 'endless' },
  ],
  examples: [
    { line: 'vbs events --after 0 --output json', text: 'Everything that is kept, then what comes.' },
    { line: 'vbs events --limit 1', text: 'Ends with the next event.' },
  ],
  seeAlso: ['operations', 'describe-volumes'],
  run: async (invocation, context) => {
    const limit = invocation.number('limit') ?? Number.POSITIVE_INFINITY;
    await context.withClient(async (client) => {
      let seen = 0;
      for await (const event of client.events({ ...given('after', invocation.number('after')), signal: context.signal })) {
        if (context.json) process.stdout.write(`${printableJson(event)}\n`);
        else context.line(context.settings.quiet ? String(event.sequence) : eventLine(event));
        seen++;
        if (seen >= limit) break;
      }
    });
    context.signal.throwIfAborted();
    return undefined;
  },
};

function eventLine({ sequence, at, type, resourceId, operationId, data }: Event): string {
  const more = Object.keys(data).length === 0 ? '' : `  ${JSON.stringify(data)}`;
  return `${sequence}  ${humanTime(at)}  ${type}  ${resourceId ?? '-'}  ${operationId ?? '-'}${more}`;
}
