import { type Call, type Secret, VbsError } from '@vbs/core';
import { answerOf, apiError } from './answers.js';
import type { ApiRequest, Transport } from './transport.js';

/** How requests say who is there. */
export interface Credentials {
  /** Whether devices of the node may be attached; the server has the last word. */
  readonly mayAttach: boolean;
  headers(call: Call, method: ApiRequest['method']): Promise<Readonly<Record<string, string>>>;
  /** The server has refused these headers; true where others may do. */
  refused(headers: Readonly<Record<string, string>>): boolean;
}

/** An API token: one header, for ever. */
export class TokenCredentials implements Credentials {
  readonly mayAttach = false;

  constructor(
    private readonly id: string,
    private readonly secret: Secret,
  ) {}

  async headers(): Promise<Readonly<Record<string, string>>> {
    return { authorization: `PVEAPIToken=${this.id}=${this.secret.reveal()}` };
  }

  refused(): boolean {
    return false;
  }
}

interface Ticket {
  readonly cookie: string;
  readonly csrf: string;
  readonly renewAt: number;
}

/** A ticket is good for two hours; a clock that stood still meanwhile (a suspended machine) is what `refused` is for. */
const renewAfterMs = 90 * 60_000;

/** A user and password, for which the server gives a ticket; changes need its CSRF token too. */
export class TicketCredentials implements Credentials {
  readonly mayAttach: boolean;
  #ticket: Promise<Ticket> | undefined;
  #current: Ticket | undefined;

  constructor(
    private readonly transport: Transport,
    private readonly user: string,
    private readonly password: Secret,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.mayAttach = user === 'root@pam';
  }

  async headers(call: Call, method: ApiRequest['method']): Promise<Readonly<Record<string, string>>> {
    if (this.#current !== undefined && this.now() >= this.#current.renewAt) this.#forget();
    const { cookie, csrf } = await this.#shared(call);
    return { cookie, ...(method === 'GET' ? {} : { CSRFPreventionToken: csrf }) };
  }

  refused({ cookie }: Readonly<Record<string, string>>): boolean {
    if (this.#current?.cookie === cookie) this.#forget();
    return true;
  }

  #forget(): void {
    this.#ticket = undefined;
    this.#current = undefined;
  }

  /** One login for all who wait. What one that failed was told is its own call's business (it may have been cancelled): the others try. */
  async #shared(call: Call): Promise<Ticket> {
    if (this.#ticket === undefined) return await this.#begin(call);
    const ticket = await this.#ticket.catch(() => undefined);
    return ticket ?? (await this.#begin(call));
  }

  async #begin(call: Call): Promise<Ticket> {
    const login = this.#login(call);
    this.#ticket = login;
    try {
      const ticket = await login;
      if (this.#ticket === login) this.#current = ticket;
      return ticket;
    } catch (error) {
      if (this.#ticket === login) this.#forget();
      throw error;
    }
  }

  /** @throws UNAUTHENTICATED: the server refuses user and password. FAILED_PRECONDITION: it wants a second factor. */
  async #login(call: Call): Promise<Ticket> {
    const begun = this.now();
    const form = { username: this.user, password: this.password.reveal() };
    const answer = await this.transport.send(call, { method: 'POST', path: '/access/ticket', form });
    if (answer.status === 401) {
      throw new VbsError('UNAUTHENTICATED', `Proxmox VE refuses the password of ${this.user} (${answer.reason}).`, {
        context: { user: this.user },
      });
    }
    if (answer.status !== 200) throw apiError('POST /access/ticket', answer);
    const data = answerOf('POST /access/ticket', answer);
    const { ticket, CSRFPreventionToken: csrf, NeedTFA } = isRecord(data) ? data : {};
    if (NeedTFA !== undefined && NeedTFA !== 0 && NeedTFA !== false) {
      const message = `${this.user} logs in with a second factor, which VBS has not: give a user without one, or use qm on the node.`;
      throw new VbsError('FAILED_PRECONDITION', message, { context: { user: this.user, reason: 'second-factor' } });
    }
    if (typeof ticket !== 'string' || typeof csrf !== 'string') {
      throw new VbsError('INTERNAL', 'POST /access/ticket was answered without a ticket.');
    }
    return { cookie: `PVEAuthCookie=${encodeURIComponent(ticket)}`, csrf, renewAt: begun + renewAfterMs };
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
