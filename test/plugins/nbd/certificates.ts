import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { NbdClientTls } from '@vbs/plugin-nbd/client';
import type { ExecutionContext } from 'ava';
import { makeDirectory } from './server-fixture.js';
import { run } from './tools.js';

/** The files of one certificate and its key. */
export interface Pair {
  readonly certificate: string;
  readonly key: string;
}

/** An authority, what it signed, and one that is nobody's; made by openssl in a folder of the test. */
export interface Certificates {
  readonly authority: string;
  /** For 127.0.0.1 and localhost. */
  readonly server: Pair;
  readonly client: Pair;
  /** Signed by `otherAuthority`. */
  readonly stranger: Pair;
  readonly otherAuthority: string;
  /** A folder as libnbd and QEMU want it; without a pair, one that shows no certificate. */
  folder(authority: string, pair?: Pair): Promise<string>;
  /** The same for the client of this package. */
  tls(pair?: Pair, authority?: string): NbdClientTls;
}

const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];

export async function makeCertificates(t: ExecutionContext): Promise<Certificates> {
  const directory = await makeDirectory(t);
  const pairOf = (name: string): Pair => ({ certificate: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) });
  const make = async (name: string, ...more: readonly string[]): Promise<Pair> => {
    const pair = pairOf(name);
    await run('openssl', ['req', '-x509', ...curve, '-subj', `/CN=${name}`, '-keyout', pair.key, '-out', pair.certificate, ...more]);
    return pair;
  };
  const signed = (name: string, by: Pair, ...extensions: readonly string[]): Promise<Pair> => {
    const leaf = ['basicConstraints=critical,CA:false', ...extensions].flatMap((extension) => ['-addext', extension]);
    return make(name, '-CA', by.certificate, '-CAkey', by.key, ...leaf);
  };
  const [authority, otherAuthority] = await Promise.all([make('authority'), make('other-authority')]);
  const [server, client, stranger] = await Promise.all([
    signed('server', authority, 'subjectAltName=IP:127.0.0.1,DNS:localhost'),
    signed('client', authority),
    signed('stranger', otherAuthority),
  ]);
  let folders = 0;
  return {
    authority: authority.certificate,
    otherAuthority: otherAuthority.certificate,
    server,
    client,
    stranger,
    folder: async (ca, pair) => {
      folders += 1;
      const folder = join(directory, `pki-${folders}`);
      await mkdir(folder);
      await symlink(ca, join(folder, 'ca-cert.pem'));
      if (pair !== undefined) {
        await symlink(pair.certificate, join(folder, 'client-cert.pem'));
        await symlink(pair.key, join(folder, 'client-key.pem'));
      }
      return folder;
    },
    tls: (pair, ca) => ({ authority: ca ?? authority.certificate, ...pair }),
  };
}
