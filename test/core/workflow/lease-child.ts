/** A process with a store on a world, told by lines on its standard input what to do: `node lease-child.js DIRECTORY LEASE_MS`. */
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { isVbsError } from '@vbs/core';
import { World } from '../../support/world/world.js';
import { openWorldStore } from '../../support/world/world-store.js';
import type { LeaseCommand } from './lease-process.js';

const [directory = '', leaseMs = '15000'] = process.argv.slice(2);
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** Until it is told otherwise, every change of the world is told and takes this long, before the guard is taken or under it. */
let slow: { readonly phase: 'before' | 'middle'; readonly ms: number } = { phase: 'before', ms: 0 };

const world = new World(join(directory, 'world'), {
  liveSnapshot: true,
  onCall: async (phase, method) => {
    if (phase !== slow.phase || slow.ms === 0 || method.startsWith('list') || method.startsWith('identify') || method === 'canonicalSlot')
      return;
    say({ in: method });
    await pause(slow.ms);
  },
});
const { store } = await openWorldStore(directory, world, { shortLimits: false, times: { leaseMs: Number(leaseMs) } });
say({ ready: true });

async function obey(command: LeaseCommand): Promise<void> {
  const options = { wait: true, ifBusy: command.ifBusy ?? 'abort' } as const;
  const volumeId = command.volumeId ?? '';
  slow = command.slow ?? slow;
  const acts = {
    create: async () => (await store.createVolume({ size: '8KiB' }, options)).id,
    delete: () => store.deleteVolume({ volumeId }, options),
    snapshot: async () => (await store.createSnapshot({ volumeId }, options)).id,
    attach: async () => (await store.attachVolume({ volumeId, vmmHost: 'node', vmId: command.vm ?? 'vm', device: 'xvdb' }, options)).id,
    close: () => store.close(),
  };
  try {
    const answer = await acts[command.act]();
    say({ answerTo: command.number, ok: true, answer: answer ?? null });
  } catch (error) {
    say({ answerTo: command.number, ok: false, code: isVbsError(error) ? error.code : String(error) });
  }
}

for await (const line of createInterface({ input: process.stdin })) void obey(JSON.parse(line) as LeaseCommand);
