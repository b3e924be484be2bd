import type { Schema } from '@vbs/core';

/** The configuration of an NBD exporter, `config.schema.json` as a type; every key has a default. */
export interface NbdConfig {
  readonly host?: string;
  readonly port?: number;
  readonly maxConnections?: number;
  readonly handshakeTimeLimitMs?: number;
  readonly stallTimeLimitMs?: number;
}

/** What an exporter takes where the configuration says nothing. */
export const nbdDefaults = {
  host: '127.0.0.1',
  port: 10809,
  maxConnections: 64,
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
    host: {
      type: 'string',
      minLength: 1,
      default: nbdDefaults.host,
      description: 'The address to listen on. Only loopback addresses: 127.0.0.0/8, ::1 or localhost.',
    },
    port: {
      type: 'integer',
      minimum: 0,
      maximum: 65535,
      default: nbdDefaults.port,
      description: 'The TCP port for all exports of this instance; 0 takes any free one.',
    },
    maxConnections: {
      type: 'integer',
      minimum: 1,
      maximum: 4096,
      default: nbdDefaults.maxConnections,
      description: 'Connections at a time, of all exports together; further ones are refused. Each takes up to 4 MiB of memory.',
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
