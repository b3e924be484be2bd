import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Refusal } from './refusal.js';

interface Session {
  readonly user: string;
  readonly csrf: string;
}

export interface Users {
  /** By user@realm. */
  readonly passwords: Readonly<Record<string, string>>;
  /** By user@realm!name. */
  readonly tokens: Readonly<Record<string, string>>;
  /** Users who log in with a second factor. */
  readonly secondFactor?: readonly string[];
}

/** Who is there, by ticket or by token. */
export class Sessions {
  readonly #open = new Map<string, Session>();
  logins = 0;

  constructor(private readonly users: Users) {}

  login(user: string, password: string): object {
    this.logins += 1;
    if (this.users.passwords[user] === undefined || this.users.passwords[user] !== password)
      throw new Refusal('authentication failure', 255, 401);
    if (this.users.secondFactor?.includes(user) === true)
      return { username: user, ticket: 'PVE:!tfa!', NeedTFA: 1, CSRFPreventionToken: 'none' };
    // Tickets hold what a cookie has to escape.
    const ticket = `PVE:${user}:${randomBytes(6).toString('hex')}::a+b/c==`;
    const csrf = `${randomBytes(4).toString('hex').toUpperCase()}:${randomBytes(6).toString('base64')}`;
    this.#open.set(ticket, { user, csrf });
    return { username: user, ticket, CSRFPreventionToken: csrf };
  }

  /** As two hours do. */
  expire(): void {
    this.#open.clear();
  }

  /** @throws Refusal: 401. */
  userOf(headers: IncomingHttpHeaders, method: string): string {
    const [, token = '', secret] = /^PVEAPIToken=([^=]+)=(.*)$/.exec(headers.authorization ?? '') ?? [];
    if (secret !== undefined) {
      if (this.users.tokens[token] !== secret) throw new Refusal(`invalid token value!`, 255, 401);
      return token;
    }
    const [, cookie] = /(?:^|;\s*)PVEAuthCookie=([^;]*)/.exec(headers.cookie ?? '') ?? [];
    if (cookie === undefined) throw new Refusal('No ticket', 255, 401);
    const session = this.#open.get(decodeURIComponent(cookie));
    if (session === undefined) throw new Refusal('permission denied - invalid PVE ticket', 255, 401);
    if (method !== 'GET' && headers.csrfpreventiontoken !== session.csrf)
      throw new Refusal('Permission denied - invalid csrf token', 255, 401);
    return session.user;
  }
}
