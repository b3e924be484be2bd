import type { Schema } from '@vbs/core';

/** TLS of the server; relative paths start from the configuration's folder. */
export interface NbdTlsConfig {
  readonly certificate: string;
  readonly key: string;
  readonly clientAuthority?: string;
  readonly mode?: 'required' | 'allowed';
}

/** The configuration of an NBD exporter, `config.schema.json` as a type; every key has a default. */
export interface NbdConfig {
  readonly process?: 'this' | 'own';
  readonly host?: string;
  readonly port?: number;
  readonly socket?: string;
  readonly tls?: NbdTlsConfig;
  readonly maxConnections?: number;
  readonly handshakeTimeLimitMs?: number;
  readonly stallTimeLimitMs?: number;
}

/** What an exporter takes where the configuration says nothing. */
export const nbdDefaults = {
  process: 'this',
  host: '127.0.0.1',
  port: 10809,
  maxConnections: 1024,
  handshakeTimeLimitMs: 10_000,
  stallTimeLimitMs: 60_000,
} as const satisfies NbdConfig;

/** The same as the published `config.schema.json`: Node.js 20 imports JSON only as an experiment. */
export const nbdConfigSchema: Schema<NbdConfig> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'NBD exporter',
  description: 'Serves volumes that are files over NBD, from this process, to clients on this machine.',
  type: 'object',
  additionalProperties: false,
  properties: {
    process: {
      type: 'string',
      enum: ['this', 'own'],
      default: nbdDefaults.process,
      description:
        'Where the server runs: in this process, so that exports end with it, or in a process of its own (vbs-nbd-server), which outlives this one and is found again.',
    },
    host: {
      type: 'string',
      minLength: 1,
      default: nbdDefaults.host,
      description:
        'The address to listen on: a loopback one (127.0.0.0/8, ::1, localhost), or any one by which clients reach this machine where tls.mode is required and tls.clientAuthority is given.',
    },
    port: {
      type: 'integer',
      minimum: 0,
      maximum: 65535,
      default: nbdDefaults.port,
      description: 'The TCP port for all exports of this instance; 0 takes any free one.',
    },
    socket: {
      type: 'string',
      minLength: 1,
      description:
        'The path of a Unix socket to listen on in place of host and port, relative to the folder of the configuration. Only the user of the server may connect to it.',
    },
    tls: {
      type: 'object',
      additionalProperties: false,
      required: ['certificate', 'key'],
      properties: {
        certificate: {
          type: 'string',
          minLength: 1,
          description: 'The file of the server certificate and of those that lead to its authority, in PEM.',
        },
        key: { type: 'string', minLength: 1, description: 'The file of its private key, in PEM, readable by its owner only (mode 0600).' },
        clientAuthority: {
          type: 'string',
          minLength: 1,
          description: 'A file of certificates in PEM: only clients whose certificate one of them signed get in.',
        },
        mode: {
          type: 'string',
          enum: ['required', 'allowed'],
          default: 'required',
          description: 'Whether clients must use TLS, or may.',
        },
      },
      description: 'TLS by NBD_OPT_STARTTLS, version 1.2 at least. Without it, a client that asks for TLS is refused it.',
    },
    maxConnections: {
      type: 'integer',
      minimum: 1,
      maximum: 4096,
      default: nbdDefaults.maxConnections,
      description:
        'Connections at a time, of all exports together; further ones are refused. Each takes up to 4.5 MiB of memory and two descriptors.',
    },
    handshakeTimeLimitMs: {
      type: 'integer',
      minimum: 100,
      maximum: 600_000,
      default: nbdDefaults.handshakeTimeLimitMs,
      description: 'Milliseconds from the start of a connection until its client has chosen an export.',
    },
    stallTimeLimitMs: {
      type: 'integer',
      minimum: 0,
      maximum: 3_600_000,
      default: nbdDefaults.stallTimeLimitMs,
      description:
        'Milliseconds without a byte after which a client is dropped that does not end a message it began, or does not take its replies; 0 waits for ever. A connection between messages may rest.',
    },
  },
};
