import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { FaultPlan } from '../frame/faults.js';
import { isSlot } from './drive-text.js';
import { ParameterErrors, Refusal } from './refusal.js';
import { Sessions, type Users } from './sessions.js';
import { NodeTasks } from './tasks.js';
import { prepareUpdate } from './update-vm.js';
import type { ProxmoxWorld } from './world.js';

export interface RestOptions extends Users {
  /** PEM. */
  readonly certificate: string | Buffer;
  readonly key: string | Buffer;
}

interface Answer {
  readonly status: number;
  readonly reason?: string;
  readonly body: object;
}

const mostBytes = 65_536;

/** The REST API of a node: pveproxy with tickets, tokens and tasks, on 127.0.0.1 with TLS. */
export class ProxmoxApi {
  readonly faults = new FaultPlan();
  readonly tasks: NodeTasks;
  readonly sessions: Sessions;
  /** Answers every request with this status in place of its own. */
  broken: number | undefined;
  readonly #server: Server;

  private constructor(
    private readonly world: ProxmoxWorld,
    { certificate, key, ...users }: RestOptions,
  ) {
    this.tasks = new NodeTasks(world.node);
    this.sessions = new Sessions(users);
    this.#server = createServer({ cert: certificate, key }, (request, response) => {
      void this.#serve(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
    });
  }

  static async start(world: ProxmoxWorld, options: RestOptions): Promise<ProxmoxApi> {
    const api = new ProxmoxApi(world, options);
    api.#server.listen(0, '127.0.0.1');
    await once(api.#server, 'listening');
    return api;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Each as `METHOD path`. */
  get requests(): readonly string[] {
    return this.faults.ran;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.tasks.ended();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const gone = once(response, 'close');
    const fault = this.faults.next(`${request.method} ${request.url?.replace('/api2/json', '')}`);
    const act = (): Answer => this.#answer(request, body);
    const planned: Answer = { status: 500, reason: 'stand-in: a fault that was planned', body: { data: null } };
    switch (fault) {
      case undefined:
        return send(response, act());
      case 'fails':
        return send(response, planned);
      case 'fails after its effect':
        act();
        return send(response, planned);
      case 'hangs':
        return void (await gone);
      case 'hangs after its effect':
        act();
        return void (await gone);
      case 'acts late':
        await gone;
        act();
        return undefined;
    }
  }

  #answer(request: IncomingMessage, body: string): Answer {
    if (this.broken !== undefined) return { status: this.broken, reason: 'Connection refused', body: { data: null } };
    try {
      return { status: 200, body: { data: this.#act(request, body) } };
    } catch (error) {
      if (error instanceof ParameterErrors) {
        return {
          status: 400,
          reason: 'Parameter verification failed.',
          body: { data: null, errors: error.errors, message: 'Parameter verification failed.\n' },
        };
      }
      if (!(error instanceof Refusal)) throw error;
      return { status: error.status, reason: error.message, body: { data: null, message: `${error.message}\n` } };
    }
  }

  #act({ method = '', url = '', headers }: IncomingMessage, body: string): unknown {
    const { pathname, searchParams } = new URL(url, 'https://server');
    const path = pathname.replace(/^\/api2\/json/, '');
    const form = formOf(method, headers['content-type'], body);
    if (method === 'POST' && path === '/access/ticket') return this.sessions.login(form.get('username') ?? '', form.get('password') ?? '');
    const user = this.sessions.userOf(headers, method);
    const [, node, rest = ''] = /^\/nodes\/([^/]+)(.*)$/.exec(path) ?? [];
    if (node !== undefined && node !== this.world.node)
      throw new Refusal(`hostname lookup '${node}' failed - failed to get address info for: ${node}: Name or service not known`);
    if (method === 'GET' && rest === '/qemu') return this.#vms();
    if (method === 'GET' && rest === '/tasks') {
      if (searchParams.get('source') !== 'active') throw new Refusal('the stand-in lists active tasks alone', 255, 501);
      const vmid = searchParams.get('vmid');
      return this.tasks.active(vmid === null ? undefined : Number(vmid));
    }
    const [, upid] = /^\/tasks\/([^/]+)\/status$/.exec(rest) ?? [];
    if (method === 'GET' && upid !== undefined) return this.tasks.status(decodeURIComponent(upid));
    const [, vmid, what] = /^\/qemu\/([1-9]\d{2,8})\/(config|pending|status\/current|unlink)$/.exec(rest) ?? [];
    if (vmid === undefined) throw new Refusal(`Method '${method} ${path}' not implemented`, 255, 501);
    return this.#vm(method, Number(vmid), what ?? '', { form, user, current: searchParams.get('current') === '1' });
  }

  #vm(method: string, vmid: number, what: string, given: { form: URLSearchParams; user: string; current: boolean }): unknown {
    const { form, user, current } = given;
    if (method === 'GET' && what === 'pending') return this.world.load(vmid).entries();
    if (method === 'GET' && what === 'status/current') {
      this.world.load(vmid);
      return { vmid, status: this.world.running.has(vmid) ? 'running' : 'stopped' };
    }
    if (method === 'GET' && what === 'config') {
      const config = this.world.load(vmid);
      const all = [...config.current].filter(([key]) => current || !config.pendingDelete.has(key));
      return { ...Object.fromEntries(all), ...(current ? {} : Object.fromEntries(config.pending)), digest: config.digest };
    }
    const isLegal = what === 'config' ? ['POST', 'PUT'].includes(method) : what === 'unlink' && method === 'PUT';
    if (!isLegal) throw new Refusal(`Method '${method}' not implemented`, 255, 501);
    const worker = prepareUpdate(this.world, vmid, updateOf(what, form, user));
    if (method === 'POST') return this.tasks.begin(vmid, user, worker);
    worker();
    return null;
  }

  #vms(): readonly object[] {
    return this.world.vmids().map((vmid) => ({
      vmid,
      name: this.world.load(vmid).current.get('name'),
      status: this.world.running.has(vmid) ? 'running' : 'stopped',
    }));
  }
}

function updateOf(what: string, form: URLSearchParams, user: string) {
  const listOf = (name: string): readonly string[] => (form.get(name) ?? '').split(/[,;\s]+/).filter((word) => word !== '');
  const own = [...form].filter(([name]) => !['delete', 'revert', 'digest', 'force', 'idlist', 'background_delay'].includes(name));
  const strange = own.find(([name]) => !isSlot(name) && !['memory', 'name', 'hotplug', 'boot', 'smbios1', 'protection'].includes(name));
  if (strange !== undefined) {
    throw new ParameterErrors({ [strange[0]]: 'property is not defined in schema and the schema does not allow additional properties' });
  }
  const digest = form.get('digest');
  return {
    set: Object.fromEntries(own),
    delete: listOf(what === 'unlink' ? 'idlist' : 'delete'),
    revert: listOf('revert'),
    ...(digest === null ? {} : { digest }),
    isRoot: user === 'root@pam',
  };
}

function formOf(method: string, type: string | undefined, body: string): URLSearchParams {
  if (method === 'GET') return new URLSearchParams();
  if (type?.startsWith('application/x-www-form-urlencoded') !== true) throw new Refusal('Unsupported Media Type', 255, 415);
  return new URLSearchParams(body);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > mostBytes) throw new Refusal('request body too large', 255, 413);
  }
  return text;
}

function send(response: ServerResponse, { status, reason, body }: Answer): void {
  if (response.destroyed) return;
  // A status line has one line.
  response.writeHead(status, (reason ?? 'OK').replaceAll(/\s*\n\s*/g, ' ').replaceAll(/[^\t\x20-\x7e]/g, '?'), {
    'content-type': 'application/json;charset=UTF-8',
  });
  response.end(JSON.stringify(body));
}
