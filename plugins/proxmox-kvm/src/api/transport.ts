import { anySignal, type Call, VbsError } from '@vbs/core';
import { type Agent, fetch } from 'undici';

/** What is sent: `path` is below `/api2/json`. */
export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What came: `reason` is the text of the status line, in which Proxmox VE tells why. */
export interface ApiAnswer {
  readonly status: number;
  readonly reason: string;
  readonly body: string;
}

/** One HTTPS request at a time limit, without a word of what is secret in errors. */
export class Transport {
  constructor(
    private readonly origin: string,
    private readonly agent: Agent,
    private readonly limitMs: number,
  ) {}

  /**
   * @throws ABORTED: the call was cancelled before. FAILED_PRECONDITION: the server is not who it must be; nothing was sent.
   * DEADLINE_EXCEEDED: no answer within the limit, or the call was cancelled. UNAVAILABLE: no connection, or it broke.
   */
  async send(call: Call, { method, path, form, headers }: ApiRequest): Promise<ApiAnswer> {
    const request = `${method} ${path.split('?')[0]}`;
    if (call.signal.aborted) throw new VbsError('ABORTED', `${request} was not begun: the call was cancelled.`, { context: { request } });
    const limit = AbortSignal.timeout(Math.ceil(this.limitMs));
    try {
      const response = await fetch(`${this.origin}/api2/json${path}`, {
        method,
        dispatcher: this.agent,
        signal: anySignal(call.signal, limit),
        redirect: 'error',
        headers: { accept: 'application/json', ...headers },
        ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
      });
      return { status: response.status, reason: response.statusText, body: await response.text() };
    } catch (error) {
      throw this.#failure(request, error, call.signal.aborted, limit.aborted);
    }
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }

  #failure(request: string, error: unknown, isCancelled: boolean, isLate: boolean): VbsError {
    const context = { request, server: this.origin };
    if (isCancelled) return new VbsError('DEADLINE_EXCEEDED', `${request} was cancelled.`, { context });
    if (isLate) {
      return new VbsError('DEADLINE_EXCEEDED', `${this.origin} has not answered ${request} within ${this.limitMs} ms.`, { context });
    }
    const { code, text } = innermost(error);
    if (/^(CERT_|ERR_TLS_CERT|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/.test(code)) {
      const advice = 'give api.ca (the file of the authority, /etc/pve/pve-root-ca.pem of the cluster) or api.fingerprint';
      return new VbsError('FAILED_PRECONDITION', `The certificate of ${this.origin} is not trusted (${text}): ${advice}.`, {
        context: { ...context, reason: 'certificate', tls: code },
      });
    }
    return new VbsError('UNAVAILABLE', `${this.origin} is not to be reached, or broke off ${request} (${text}).`, {
      context: { ...context, socket: code },
    });
  }
}

/** fetch says "fetch failed" and keeps why in the cause. */
function innermost(error: unknown): { readonly code: string; readonly text: string } {
  let found = { code: '', text: String(error) };
  let at: unknown = error;
  for (let depth = 0; depth < 5 && at instanceof Error; depth++) {
    const code = 'code' in at && typeof at.code === 'string' ? at.code : found.code;
    found = { code, text: at.message === '' ? code : at.message };
    at = at.cause;
  }
  return found;
}
