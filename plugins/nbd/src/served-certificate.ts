import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { ServerSettings } from './server/nbd-server.js';

/** As long as somebody needs who renews it by hand. */
const soonMs = 7 * 24 * 60 * 60 * 1000;

/** The certificate that a server started with; clients look at the same things before they connect. */
export class ServedCertificate {
  readonly #certificate: X509Certificate;
  readonly #path: string;
  /** What clients want it to be made out to; undefined for a Unix socket. */
  readonly #host: string | undefined;

  private constructor(certificate: X509Certificate, path: string, host: string | undefined) {
    this.#certificate = certificate;
    this.#path = path;
    this.#host = host;
  }

  /** Null without TLS. The file is one that the server has just started with. */
  static async read({ tls, host, socket }: Pick<ServerSettings, 'tls' | 'host' | 'socket'>): Promise<ServedCertificate | null> {
    if (tls === undefined) return null;
    const certificate = new X509Certificate(await readFile(tls.certificate));
    return new ServedCertificate(certificate, tls.certificate, socket === undefined ? host : undefined);
  }

  /** Why clients refuse it, or soon will, a sentence each; `now` in milliseconds since 1970. */
  faults(now = Date.now()): readonly string[] {
    const { validFrom, validTo } = this.#certificate;
    const what = `the certificate ${this.#path}, with which the NBD server started,`;
    const renew = 'renew it, and start the NBD server again';
    const faults: string[] = [];
    if (now < Date.parse(validFrom)) faults.push(`${what} is valid only from ${validFrom}: look at the clock, or ${renew}`);
    if (now >= Date.parse(validTo)) faults.push(`${what} expired at ${validTo}, and clients refuse it: ${renew}`);
    else if (now >= Date.parse(validTo) - soonMs && this.#lastsLonger()) faults.push(`${what} expires at ${validTo}: ${renew}`);
    const host = this.#host;
    const isFor = host === undefined || (isIP(host) === 0 ? this.#certificate.checkHost(host) : this.#certificate.checkIP(host));
    if (isFor === undefined) faults.push(`${what} is not made out to ${host}, and clients refuse it: name ${host} in its subjectAltName`);
    return faults;
  }

  /** Certificates that are renewed every few days by a program are not told of all the time. */
  #lastsLonger(): boolean {
    const { validFrom, validTo } = this.#certificate;
    return Date.parse(validTo) - Date.parse(validFrom) > 4 * soonMs;
  }
}
