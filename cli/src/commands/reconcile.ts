import { createInterface } from 'node:readline/promises';
import { failure } from '../client/failure.js';
import type { CommandSpec } from '../command-spec.js';
import type { Context } from '../context/context.js';
import { printable } from '../output/printable.js';
import { differenceView } from '../output/views.js';
import { given } from './describe.js';

export const reconcileCommand: CommandSpec = {
  name: 'reconcile',
  group: 'Looking after it',
  summary: 'Compare the bookkeeping with what is outside',
  description: [
    'Looks at pools, exporters, nodes, and lists what is there and not known (orphan) and what is known and not there (missing). It changes nothing unless told. What an operation works on, and what is younger than 10 seconds, is left out.',
    '--repair makes missing exports again and removes exports and connections that no attachment has; it never touches a volume or a snapshot. Those go one by one, by --adopt or --delete.',
    'A store that was restored from an older copy only reads. When you have looked at what differs, and no other store works on its pools, --accept takes it for the right one.',
  ],
  options: [
    { flags: '--repair', text: 'Mend what holds no data: exports and connections.' },
    { flags: '--accept', text: 'Take a store that is older than its pools for the right one.' },
    { flags: '--adopt <id>', text: 'Take a volume or snapshot that lies in a pool into the bookkeeping.' },
    { flags: '--delete <id>', text: 'Delete a volume or snapshot that lies in a pool, unknown to the bookkeeping, with its bytes.' },
    { flags: '--yes', text: 'Do not ask before --delete.' },
  ],
  examples: [
    { line: 'vbs reconcile', text: 'Look, and change nothing.' },
    { line: 'vbs reconcile --repair', text: 'Make missing exports again, remove those that are left over.' },
    { line: 'vbs reconcile --adopt vol-0123456789abcdef0', text: 'Bring back a volume whose record was lost.' },
  ],
  seeAlso: ['doctor', 'operations', 'pools'],
  run: async (invocation, context) => {
    const [adopt, doomed] = [invocation.text('adopt'), invocation.text('delete')];
    if (doomed !== undefined && !invocation.flag('yes')) await confirm(doomed, context);
    const request = {
      ...given('repair', invocation.flag('repair') || undefined),
      ...given('accept', invocation.flag('accept') || undefined),
      ...given('adopt', adopt),
      ...given('delete', doomed),
    };
    await context.withClient(async (client) => {
      const report = await client.reconcile(request, context.signal);
      if (report.differences.length > 0 || context.json || context.settings.quiet)
        await context.printList(report.differences, differenceView, report);
      else context.line('Nothing differs.');
      if (context.json) return;
      for (const { instance, reason } of report.unseen) context.note(`${instance} could not be looked at: ${reason}`);
    });
    return undefined;
  },
};

/** Asks whether bytes shall really go. @throws INVALID_ARGUMENT: nobody can be asked, or the answer is no. */
async function confirm(id: string, { signal }: Context): Promise<void> {
  if (process.stdin.isTTY !== true || process.stderr.isTTY !== true)
    throw failure('INVALID_ARGUMENT', '--delete destroys bytes, and there is no terminal to ask: add --yes', { context: { field: 'yes' } });
  const questions = createInterface({ input: process.stdin, output: process.stderr });
  try {
    // The question takes Ctrl-C for itself; it is handed on.
    questions.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    const answer = await questions.question(`Delete ${printable(id)} and its bytes, for good? Type its id: `, { signal });
    if (answer.trim() === id) return;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw error;
  } finally {
    questions.close();
  }
  throw failure('INVALID_ARGUMENT', 'what was typed is not the id: nothing was deleted', { context: { field: 'delete' } });
}
