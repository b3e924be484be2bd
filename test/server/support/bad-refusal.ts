import { isDeepStrictEqual } from 'node:util';
import { errorTable } from '@vbs/core';
import { type Problem, schemas } from '@vbs/schemas';
import { Ajv2020, type AnySchemaObject } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { BadPlace, Dump } from './bad-place.js';
import type { BadRequest } from './bad-request.js';
import { requestBytes, Wire, type WireAnswer } from './bad-wire.js';

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
const isProblem = ajv.compile(schemas.problem as AnySchemaObject);

/** What could move a terminal's cursor or turn a line around. */
const hidden = /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/u;

function bytesOf(place: BadPlace, { method, path, headers = [], host = 'localhost', type, length, body, raw }: BadRequest): Buffer {
  if (raw !== undefined) return Buffer.isBuffer(raw) ? raw : Buffer.from(place.filled(raw), 'latin1');
  const bytes = body === undefined ? undefined : bodyBytes(place, body);
  const usual = (name: string, given: string | null | undefined, otherwise: string | undefined): (readonly [string, string])[] => {
    const value = given === undefined ? otherwise : given;
    return value === undefined || value === null ? [] : [[name, value]];
  };
  return requestBytes(
    {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      path: place.filled(path),
      headers: [
        ...usual('Host', host, undefined),
        ...usual('Content-Type', type, bytes === undefined ? undefined : 'application/json'),
        ...usual('Content-Length', length, bytes === undefined ? undefined : String(bytes.length)),
        ...headers.map(([name, value]) => [name, place.filled(value)] as const),
      ],
    },
    bytes,
  );
}

function bodyBytes(place: BadPlace, body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body;
  return Buffer.from(place.filled(typeof body === 'string' ? body : JSON.stringify(body)));
}

/** Every text of a problem, of whatever depth. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? [...Object.keys(value), ...Object.values(value).flatMap(textsIn)] : [];
}

function faultsOf({ method, status, code, field, detail, allow }: BadRequest, answer: WireAnswer, directory: string): string[] {
  const { headers, text } = answer;
  const faults: string[] = [];
  const expect = (what: string, found: unknown, wanted: unknown): void => {
    if (!isDeepStrictEqual(found, wanted)) faults.push(`${what} is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
  };
  expect('the status', answer.status, status);
  expect('Content-Type', headers.get('content-type')?.split(';')[0], 'application/problem+json');
  expect('X-Content-Type-Options', headers.get('x-content-type-options'), 'nosniff');
  if (faults.length > 0) return [...faults, text.slice(0, 300)];
  if (method === 'HEAD') return [];
  const problem = JSON.parse(text) as Problem;
  if (!isProblem(problem)) faults.push(`it is no problem document: ${ajv.errorsText(isProblem.errors)}`);
  expect('the code', problem.code, code);
  expect('the status in the body', problem.status, status);
  expect('the instance', problem.instance, headers.get('x-request-id'));
  expect('the field', problem.context?.field ?? null, field);
  expect('the advice', problem.retry, errorTable[code].retry);
  if (status === 409 && field === null) expect('that it names a resource', problem.resource !== undefined, true);
  if (detail !== undefined && !detail.test(problem.detail)) faults.push(`${problem.detail} does not say ${detail}`);
  if (allow !== undefined) expect('Allow', headers.get('allow'), allow);
  if (/\n\s+at |node_modules|"stack"|node:internal/.test(text) || text.includes(directory)) faults.push('it tells about this machine');
  if (textsIn(problem).some((one) => hidden.test(one))) faults.push('it echoes hidden characters');
  if (text.length > 4_096) faults.push(`it has ${text.length} bytes`);
  return faults.length > 0 ? [...faults, text.slice(0, 300)] : [];
}

const good = requestBytes({ method: 'GET', path: '/v1/pools', headers: [['Host', 'localhost']] });

async function faultsOfGood(wire: Wire, where: string): Promise<string[]> {
  wire.write(good);
  const answer = await wire.answer();
  return answer?.status === 200 ? [] : [`a good request ${where} is answered ${answer?.status ?? 'by nothing'}`];
}

async function faultsOfNext(port: number): Promise<string[]> {
  const wire = new Wire(port);
  try {
    return await faultsOfGood(wire, 'on a new connection');
  } finally {
    wire.close();
  }
}

/** What an operation that was begun, and failed, leaves by right; `store` has the epoch. */
const journal: ReadonlySet<string> = new Set(['store', 'ids', 'operations', 'operation_steps', 'events']);

function withoutJournal({ begins }: BadRequest, { tables, files }: Dump): Dump {
  if (begins !== true) return { tables, files };
  return { tables: Object.fromEntries(Object.entries(tables).filter(([table]) => !journal.has(table))), files };
}

/** Where two plain values differ, by their paths. */
function differences(one: unknown, other: unknown, path = ''): string[] {
  if (isDeepStrictEqual(one, other)) return [];
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null)
    return [`${path}: ${JSON.stringify(one)} is ${JSON.stringify(other)}`];
  const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])];
  return keys.flatMap((key) =>
    differences((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key], `${path}/${key}`),
  );
}

/** Sends one bad request, and good ones after it; answers all that was wrong with how it was taken. */
export async function faultsWith(place: BadPlace, bad: BadRequest): Promise<string[]> {
  const before = withoutJournal(bad, await place.dump());
  const wire = new Wire(place.port);
  const faults: string[] = [];
  try {
    wire.write(bytesOf(place, bad));
    if (bad.ends === true) wire.end();
    const answer = await wire.answer(bad.method);
    if (answer === null) return ['the connection ended without an answer'];
    faults.push(...faultsOf(bad, answer, place.directory));
    if (answer.headers.get('connection') !== 'close' && bad.ends !== true) faults.push(...(await faultsOfGood(wire, 'behind it')));
    else if ((await wire.rest()) !== '') faults.push(`more came behind the answer: ${(await wire.rest()).slice(0, 100)}`);
    faults.push(...(await faultsOfNext(place.port)));
  } catch (error) {
    faults.push(error instanceof Error ? error.message : String(error));
  } finally {
    wire.close();
  }
  const after = withoutJournal(bad, await place.dump());
  if (!isDeepStrictEqual(after, before)) faults.push(`something was changed: ${differences(before, after).join(', ').slice(0, 600)}`);
  return faults;
}
