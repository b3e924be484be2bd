import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Say } from './build/build-image.js';
import { asWanted, type NamedGuest } from './lab/guest-names.js';
import { endLeftovers, Lab } from './lab/lab.js';
import { folderOf, listRecords, readRecord, removeLab } from './lab/record.js';
import { guestsIn } from './qemu/leftovers.js';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const seconds = (since: number): string => `${((Date.now() - since) / 1_000).toFixed(1)} s`;

export async function labUp(name: string, guests: readonly NamedGuest[], say: Say): Promise<void> {
  const started = Date.now();
  const { lab, wasUp } = await Lab.stand({ name, guests: asWanted(guests), say });
  await lab.close();
  say(`${name}: ${wasUp ? 'up already' : `up in ${seconds(started)}`}: ${guests.map((guest) => guest.name).join(', ')}`);
  const first = guests[0]?.name ?? '';
  say(`\`npm run lab:shell ${first}\`, or ssh -F ${lab.configFile} ${first}`);
}

/** Writes a line for each guest of each lab. */
export async function labStatus(): Promise<void> {
  const records = await listRecords();
  if (records.length === 0) process.stdout.write('no lab is up\n');
  for (const record of records) {
    const folder = folderOf(record.name);
    process.stdout.write(
      `${record.name}${record.owner === null ? '' : ` (of process ${record.owner.pid})`}: ssh -F ${join(folder, 'ssh_config')}\n`,
    );
    for (const guest of record.guests) {
      const [running] = await guestsIn(join(folder, guest.name));
      const state = running === undefined ? 'down' : `up, pid ${running.pid}`;
      process.stdout.write(
        `  ${guest.name.padEnd(10)} ${guest.kind.padEnd(8)} 10.9.0.${String(guest.number).padEnd(3)} port ${guest.sshPort}  ${state}\n`,
      );
    }
  }
}

/** Gives this terminal to ssh. Answers its exit code. */
export async function labShell(name: string, guest: string, command: readonly string[]): Promise<number> {
  const lab = await Lab.find(name);
  const words = ['-F', lab.configFile, ...(command.length === 0 && process.stdin.isTTY ? ['-t'] : []), lab.guest(guest).name, ...command];
  return await runHere('ssh', words);
}

export async function labDown(name: string, say: Say): Promise<void> {
  const wasThere = (await readRecord(name)) !== undefined;
  await removeLab(name);
  say(wasThere ? `${name}: down` : `${name}: was not up`);
}

/** Runs the tests of the lab, whose last line is their count. Answers their exit code. */
export async function labTest(name: string, words: readonly string[], say: Say): Promise<number> {
  await endLeftovers(say);
  const standing = await readRecord(name);
  const guests = standing === undefined ? undefined : asWanted(standing.guests);
  const { lab, wasUp } = await Lab.stand({ name, ...(guests === undefined ? {} : { guests }), endsWithUs: true, say });
  await lab.close();
  try {
    const test = join(repository, 'scripts/test.mjs');
    return await runHere(process.execPath, [test, '--config', 'lab.ava.config.js', ...words], { VBS_LAB: name });
  } finally {
    if (!wasUp) await lab.down();
  }
}

/** Runs a program with this process's streams; a signal that would end this process ends the program alone, so that we tidy up. */
async function runHere(tool: string, words: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<number> {
  const child = spawn(tool, words, { stdio: 'inherit', cwd: repository, env: { ...process.env, ...environment } });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, pass);
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}
