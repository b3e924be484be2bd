import { X509Certificate } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { type ErrorCode, VbsError } from '@vbs/core';

/** Certificates and a key in PEM, by their files. */
export interface PemPaths {
  readonly certificate?: string | undefined;
  /** Readable by its owner only. */
  readonly key?: string | undefined;
  /** Certificates of those who may sign the other side's. */
  readonly authority?: string | undefined;
}

/** Says which field of whose configuration a path came from, and with which code a fault of it is thrown. */
export interface PemBlame {
  readonly code: ErrorCode;
  field(name: keyof PemPaths): string;
}

/** More than any chain of certificates. */
const maxPemBytes = 1024 * 1024;
const forOthers = 0o077;

/** Older versions are not spoken. */
const minTlsVersion = 'TLSv1.2';

/**
 * Reads the files and sees that they fit each other.
 * @throws the blame's code: a file is missing, no PEM, too large, the key does not belong to the certificate, or others than its
 * owner may read it (`context.field`).
 */
export async function readPemFiles(paths: PemPaths, blame: PemBlame): Promise<SecureContextOptions> {
  const read = async (name: keyof PemPaths): Promise<Buffer | undefined> => {
    const path = paths[name];
    return path === undefined ? undefined : readPem(path, name === 'key', (why) => fault(blame, name, path, why));
  };
  const [cert, key, ca] = await Promise.all([read('certificate'), read('key'), read('authority')]);
  const material = { ...(cert && { cert }), ...(key && { key }), ...(ca && { ca }), minVersion: minTlsVersion } as const;
  // createSecureContext takes an authority without a certificate in it, and then trusts nobody.
  trying(blame, 'authority', paths, () => ca && new X509Certificate(ca));
  trying(blame, 'certificate', paths, () => cert && createSecureContext({ cert }));
  trying(blame, 'key', paths, () => key && createSecureContext(material));
  return material;
}

function fault({ code, field }: PemBlame, name: keyof PemPaths, path: string, why: string, cause?: unknown): VbsError {
  const message = `${JSON.stringify(field(name))} is ${path}, ${why}`;
  return new VbsError(code, message, { context: { field: field(name), path, faults: [message] }, cause });
}

async function readPem(path: string, isKey: boolean, refuse: (why: string) => VbsError): Promise<Buffer> {
  try {
    // Without O_NONBLOCK the open of a named pipe would wait for its writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const facts = await file.stat();
      if (!facts.isFile()) throw refuse('which is not a file: name a file in PEM');
      if (facts.size > maxPemBytes) throw refuse(`which is longer than ${maxPemBytes} bytes: name a file in PEM`);
      if (isKey && (facts.mode & forOthers) !== 0) throw refuse('which others than its owner may read: chmod 600 closes it');
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof VbsError) throw error;
    throw refuse(`which cannot be read (${(error as NodeJS.ErrnoException).code}): name a file in PEM that this process may read`);
  }
}

function trying(blame: PemBlame, name: keyof PemPaths, paths: PemPaths, act: () => unknown): void {
  try {
    act();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const why = `which is no use for TLS (${said}): name a file in PEM, and the key that belongs to the certificate`;
    throw fault(blame, name, paths[name] ?? '', why, error);
  }
}
