import { type Call, VbsError } from '@vbs/core';
import { answerOf, apiError } from './answers.js';
import type { Credentials } from './credentials.js';
import type { ApiRequest, Transport } from './transport.js';

/** Requests of who has logged in, and their data. */
export class ApiClient {
  constructor(
    private readonly transport: Transport,
    readonly credentials: Credentials,
  ) {}

  get(call: Call, path: string): Promise<unknown> {
    return this.#request(call, { method: 'GET', path });
  }

  post(call: Call, path: string, form: Readonly<Record<string, string>>): Promise<unknown> {
    return this.#request(call, { method: 'POST', path, form });
  }

  async close(): Promise<void> {
    await this.transport.close();
  }

  /** A ticket that the server does not know any more is renewed, once; nothing was done for it. */
  async #request(call: Call, request: ApiRequest): Promise<unknown> {
    const told = `${request.method} ${request.path.split('?')[0]}`;
    for (let tries = 1; ; tries++) {
      const headers = await this.credentials.headers(call, request.method);
      const answer = await this.transport.send(call, { ...request, headers });
      if (answer.status === 200) return answerOf(told, answer);
      if (answer.status !== 401) throw apiError(told, answer);
      if (tries === 1 && this.credentials.refused(headers)) continue;
      throw new VbsError('UNAUTHENTICATED', `Proxmox VE refuses the credentials of api (${answer.reason}).`, {
        context: { request: told, status: 401 },
      });
    }
  }
}
