import type { Client } from '../client/client.js';
import { findServer } from '../client/find-client.js';
import { readSettings } from '../context/settings.js';
import type { Words } from './complete.js';

/** A shell does not wait longer for a completion. */
const limitMs = 800;
const mostWords = 200;

/** Asks the running server for what a shell may complete; without one, or when it is slow, for nothing. */
export function serverWords(environment: NodeJS.ProcessEnv): Words {
  const signal = AbortSignal.timeout(limitMs);
  return async (kind) => {
    let client: Client | null = null;
    try {
      client = await findServer(readSettings({}, environment));
      return client === null ? [] : (await wordsOf(client, kind, signal)).filter((word) => plainWord.test(word));
    } catch {
      // Whoever presses the Tab key wants no error in the line that is being typed; the command itself will tell it.
      return [];
    } finally {
      await client?.close();
    }
  };
}

/** A shell puts the word into the line that is being typed, as it is: one with `;` or `$(…)` in it would be run with the line. */
const plainWord = /^[\w@%+=:,./-]+$/;

async function wordsOf(client: Client, kind: Parameters<Words>[0], signal: AbortSignal): Promise<readonly string[]> {
  if (kind === 'backends') return (await client.pools(signal)).map(({ backend }) => backend);
  if (kind === 'vmmHosts') return [...new Set((await client.routes(signal)).map(({ vmmHost }) => vmmHost))];
  const { items } = await client.list(kind, { limit: mostWords }, signal);
  return items.map(({ id }) => id);
}
