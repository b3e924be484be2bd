import { resolve } from 'node:path';
import { type Machine, VbsError } from '@vbs/core';
import { type ApiConfig, apiDefaults } from '../config.js';
import { makeAgent } from './agent.js';
import { ApiClient } from './api-client.js';
import { ApiDriver } from './api-driver.js';
import { type Credentials, TicketCredentials, TokenCredentials } from './credentials.js';
import { Transport } from './transport.js';

export interface ApiSurroundings {
  readonly api: ApiConfig;
  readonly machine: Machine;
  /** What a relative path of the configuration starts from. */
  readonly baseDirectory: string;
}

/** Opens the way to a cluster; nothing is sent before the first call. @throws CONFIG_INVALID: the file of the authority is not one. */
export async function openApiDriver({ api, machine, baseDirectory }: ApiSurroundings): Promise<ApiDriver> {
  const { ca, fingerprint, timeLimitSeconds = apiDefaults.timeLimitSeconds } = api;
  const limitMs = timeLimitSeconds * 1000;
  const trust = {
    ...(ca === undefined ? {} : { ca: resolve(baseDirectory, ca) }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
  };
  const transport = new Transport(new URL(api.url).origin, await makeAgent(trust, limitMs), limitMs);
  return new ApiDriver(new ApiClient(transport, credentialsOf(api, transport)), machine, api.node);
}

function credentialsOf({ ticket, token }: ApiConfig, transport: Transport): Credentials {
  if (token !== undefined) return new TokenCredentials(token.id, token.secret);
  if (ticket !== undefined) return new TicketCredentials(transport, ticket.user ?? apiDefaults.user, ticket.password);
  throw new VbsError('CONFIG_INVALID', 'api needs a ticket or a token.', {
    context: { faults: [{ path: '/api', message: 'needs a ticket or a token' }] },
  });
}
