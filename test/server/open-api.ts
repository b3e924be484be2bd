import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { ExecutionContext } from 'ava';

/** An answer, as a client has it. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | number | undefined>>;
  readonly text: string;
}

interface Documented {
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Readonly<Record<string, unknown>>;
}

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, Documented>> }>>>>;
}

/** Headers that an answer with this status must have, where the document names them. */
const wanted: Readonly<Record<string, readonly number[]>> = { location: [201, 202], 'x-request-id': [], 'vbs-operation': [202] };
/** What the server refuses before it looks for a route. */
const anywhere: ReadonlySet<number> = new Set([400, 403, 404, 405, 408, 413, 414, 415, 417, 431, 500, 503]);

const step = (name: string): string => encodeURIComponent(name.replaceAll('~', '~0').replaceAll('/', '~1'));

/** Holds answers against the server's own document: status, headers, type, and every field of the body. */
export class AnswerCheck {
  readonly #document: OpenApi;
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });
  readonly #known = new Map<string, ValidateFunction>();

  constructor(document: object) {
    this.#document = document as OpenApi;
    addFormats.default(this.#ajv);
    this.#ajv.addSchema(document, 'openapi');
  }

  check(t: ExecutionContext, method: string, url: string, answer: Answer): void {
    const path = url.split('?')[0] ?? '';
    const what = `${method} ${path} → ${answer.status}`;
    t.is(answer.headers['x-content-type-options'], 'nosniff', what);
    t.truthy(answer.headers['x-request-id'], what);
    const type = String(answer.headers['content-type'] ?? '').split(';')[0] ?? '';
    if (answer.status >= 400) this.#problem(t, what, type, answer, path);
    const template = this.#templateOf(path);
    const operation = template === undefined ? undefined : this.#document.paths[template]?.[method.toLowerCase()];
    if (template === undefined || operation === undefined) return;
    const documented = operation.responses[String(answer.status)];
    if (documented === undefined) {
      t.true(anywhere.has(answer.status), `${what} is not documented: ${answer.text}`);
      return;
    }
    for (const [header, statuses] of Object.entries(wanted)) {
      const named = Object.keys(documented.headers ?? {}).some((name) => name.toLowerCase() === header);
      if (named && statuses.includes(answer.status)) t.truthy(answer.headers[header], `${what}: ${header}`);
      if (!named && header !== 'x-request-id' && answer.headers[header] !== undefined) t.fail(`${what}: ${header} is not documented`);
    }
    if (answer.status === 204) {
      t.is(answer.text, '', what);
      return;
    }
    t.true(Object.hasOwn(documented.content ?? {}, type), `${what}: the type ${type} is not documented`);
    if (!type.endsWith('json')) return;
    const pointer = ['paths', template, method.toLowerCase(), 'responses', String(answer.status), 'content', type, 'schema']
      .map(step)
      .join('/');
    this.#validate(t, what, `openapi#/${pointer}`, answer);
  }

  #problem(t: ExecutionContext, what: string, type: string, answer: Answer, path: string): void {
    if (path === '/readyz' && answer.status === 503) return;
    t.is(type, 'application/problem+json', `${what}: ${answer.text}`);
    this.#validate(t, what, 'openapi#/components/schemas/Problem', answer);
    const { status, instance, detail } = JSON.parse(answer.text) as { status: number; instance: string; detail: string };
    t.is(status, answer.status, what);
    t.is(instance, String(answer.headers['x-request-id']), what);
    t.notRegex(answer.text, /\n\s+at |node_modules|"stack"/, what);
    t.true(detail.length > 0, what);
  }

  #validate(t: ExecutionContext, what: string, ref: string, { text }: Answer): void {
    const validate = this.#known.get(ref) ?? this.#ajv.compile({ $ref: ref });
    this.#known.set(ref, validate);
    t.true(validate(JSON.parse(text)), `${what}: ${this.#ajv.errorsText(validate.errors)} in ${text}`);
  }

  #templateOf(path: string): string | undefined {
    const parts = path.split('/');
    return Object.keys(this.#document.paths).find((template) => {
      const named = template.split('/');
      return named.length === parts.length && named.every((part, index) => part === parts[index] || part.startsWith('{'));
    });
  }
}
