import { createHmac, randomBytes } from 'node:crypto';
import { link, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readSecretFile } from '../config/secrets.js';
import type { ChapCredentials } from '../contract/connection.js';
import { Secret } from '../contract/secret.js';
import { VbsError } from '../errors.js';
import { fileError, withFileErrors } from '../machine/file-errors.js';
import type { Database } from '../metadata/database/open-database.js';
import { masterKeyMark, rememberMasterKey } from '../metadata/database/store-identity.js';

/** The file of the state directory that holds the master key where the configuration names none. */
const keyFile = 'master.key';

/**
 * The CHAP credentials of exports (safety E5): derived from the master key and the export's id, and stored nowhere. The user is the
 * export's id; the password has 32 hex digits, 128 bits, which every initiator takes.
 */
export class ChapSecrets {
  readonly #masterKey: Secret | null;

  constructor(masterKey: Secret | null) {
    this.#masterKey = masterKey;
  }

  of(exportId: string): ChapCredentials {
    if (this.#masterKey === null) throw new TypeError('CHAP credentials were asked for, and no exporter has chap');
    return { user: exportId, password: new Secret(hmac(this.#masterKey, exportId).slice(0, 32)) };
  }
}

/**
 * The secrets of a store, whose key must be the one that it always had. Without a configured key, one is drawn into the state directory
 * (mode 0600) when the store is first opened with an exporter that has chap.
 * @throws FAILED_PRECONDITION: the key is missing, open to others, or another one.
 */
export async function openChapSecrets(
  configured: Secret | null,
  { stateDirectory, database }: { readonly stateDirectory: string; readonly database: Database },
): Promise<ChapSecrets> {
  const path = join(stateDirectory, keyFile);
  const key = configured ?? (await readOwnKey(path, (await masterKeyMark(database.knex)) !== null));
  const mark = hmac(key, 'vbs master key').slice(0, 16);
  const known = await database.transaction((trx) => rememberMasterKey(trx, mark));
  if (known === mark) return new ChapSecrets(key);
  throw keyFault(
    configured === null ? path : 'the configured masterKey',
    'is not the key that this store has used: exports that are in use would get other passwords. Put the old one back',
  );
}

async function readOwnKey(path: string, isKnown: boolean): Promise<Secret> {
  const found = await readIfThere(path);
  if (found !== null) return found;
  if (isKnown) throw keyFault(path, 'is missing, and exports in use have passwords that come from it: put it back');
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  await withFileErrors(path, 'write', async () => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    try {
      await writeFile(temporary, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx', flush: true });
      await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
        // Another process of this store was quicker: its key is the one.
        if (error.code !== 'EEXIST') throw error;
      });
    } finally {
      await rm(temporary, { force: true });
    }
  });
  const drawn = await readIfThere(path);
  if (drawn === null) throw keyFault(path, 'was removed just after it was made');
  return drawn;
}

async function readIfThere(path: string): Promise<Secret | null> {
  try {
    const read = await readSecretFile(path);
    if ('fault' in read) throw new VbsError('FAILED_PRECONDITION', `the master key's file ${read.fault}`, { context: { path } });
    return new Secret(read.text);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw fileError(error, path, 'read');
  }
}

function keyFault(what: string, why: string): VbsError {
  return new VbsError('FAILED_PRECONDITION', `${what} ${why}`, { context: { field: 'masterKey' } });
}

const hmac = (key: Secret, text: string): string => createHmac('sha256', key.reveal()).update(text).digest('hex');
