import type { Operation } from '@vbs/core';
import { failure } from '../client/failure.js';
import type { ArgumentSpec, CommandSpec } from '../command-spec.js';
import type { Context } from '../context/context.js';
import type { Invocation } from '../invocation.js';
import { journalView, resourceViews } from '../output/views.js';
import { describe, describeOptions, given } from './describe.js';
import { requireId } from './parse.js';

const group = 'Looking after it';
const operationArgument: ArgumentSpec = { name: 'operation-id', text: 'The operation: op- and 17 hex digits.', completes: 'operations' };

function act(name: 'retry' | 'abandon' | 'cancel', summary: string, description: readonly string[]): CommandSpec {
  return {
    name,
    group,
    summary,
    description,
    arguments: [operationArgument],
    examples: [{ line: `vbs operations ${name} op-0123456789abcdef0`, text: 'Answers how the operation stands then.' }],
    seeAlso: ['operations', 'reset-state', 'detach-volume'],
    run: async (invocation: Invocation, context: Context) => {
      const id = requireId('operation', invocation.argument(0), 'operationId');
      await context.withClient(async (client) => {
        await context.printItem(await client.act(id, name, context.signal), resourceViews.operations);
      });
      return undefined;
    },
  };
}

const list: CommandSpec = {
  name: 'list',
  group,
  summary: 'List operations, or describe some',
  description: ['Lists operations, oldest first. Ended ones are kept for 30 days.'],
  arguments: [{ ...operationArgument, text: 'Only these operations.', optional: true, variadic: true }],
  options: [
    { flags: '--resource <id>', text: 'Only those of this volume, snapshot or attachment.', completes: 'volumes' },
    ...describeOptions(['running', 'stuck', 'succeeded', 'failed']),
  ],
  examples: [{ line: 'vbs operations list --state stuck', text: 'What needs somebody to look.' }],
  seeAlso: ['operations'],
  run: (invocation, context) =>
    describe(invocation, context, 'operations', { idKind: 'operation', more: given('resourceId', invocation.text('resource')) }),
};

const show: CommandSpec = {
  name: 'show',
  group,
  summary: 'Show an operation with its journal',
  description: [
    'Shows one operation and, step by step, what it has done. With --output json the journal is the field journal of the operation.',
  ],
  arguments: [operationArgument],
  examples: [{ line: 'vbs operations show op-0123456789abcdef0', text: 'What it did, and what remains if it is stuck.' }],
  seeAlso: ['operations'],
  run: async (invocation, context) => {
    const id = requireId('operation', invocation.argument(0), 'operationId');
    await context.withClient(async (client) => {
      const { items } = await client.list('operations', { ids: [id] }, context.signal);
      const [operation] = items;
      if (operation === undefined) throw failure('NOT_FOUND', `there is no operation ${id}`, { context: { ids: [id] } });
      const journal = await client.journal(id, context.signal);
      if (context.json) return context.printJson({ ...operation, journal });
      if (!context.settings.quiet) tellOperation(operation, context);
      await context.printList(journal, journalView, journal);
    });
    return undefined;
  },
};

function tellOperation(operation: Operation, context: Context): void {
  const { id, kind, state, resourceId, step, error, reason } = operation;
  context.line(`${id}  ${kind} of ${resourceId} is ${state}${step === null ? '' : ` at ${step}`}`);
  if (error !== null) context.line(`error: ${error.code}: ${error.message}`);
  if (reason !== null) context.line(`remains: ${reason}`);
  context.line('');
}

export const operationsCommand: CommandSpec = {
  name: 'operations',
  group,
  summary: 'Look at operations, and help stuck ones on',
  description: [
    'Every change is an operation with a journal. One that can neither go on nor back is stuck: it holds its resources and is tried again by itself after growing pauses. These commands show why, and are the ways out.',
  ],
  examples: [
    { line: 'vbs operations list --state stuck', text: 'What needs somebody to look.' },
    { line: 'vbs operations retry op-0123456789abcdef0', text: 'The cause was mended: try now.' },
  ],
  seeAlso: ['events', 'reset-state', 'detach-volume', 'reconcile'],
  commands: [
    list,
    show,
    act('retry', 'Try a stuck operation now', [
      'Tries a stuck operation at once, in place of after its pause, and answers how it stands then.',
    ]),
    act('abandon', 'Give a stuck operation up', [
      'Gives a stuck operation up where it stands. It ends failed, its volume becomes error, and something of it may be left outside: go on with detach-volume --force, reset-state or delete-volume.',
    ]),
    act('cancel', 'Ask a running operation to go back', [
      'Asks a running operation to go back, as far as it still can; it then ends failed with ABORTED. What can no longer go back goes on.',
    ]),
  ],
};
