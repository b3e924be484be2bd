import { schemas } from '@vbs/schemas';

/** A JSON Schema, or a part of one. */
type SchemaPart = Readonly<Record<string, unknown>>;

export const refTo = (name: keyof typeof schemas): SchemaPart => ({ $ref: schemas[name].$id });

const text = (description: string): SchemaPart => ({ type: 'string', description });

export const headers = {
  'X-Request-Id': text('The id of this request, for the log: the one that was sent, or a new one.'),
  'VBS-Operation': text('The operation that the request began or repeated.'),
  'Preference-Applied': text('What was done of Prefer.'),
  Location: text('Where the resource is.'),
} as const;

/** What a status says, and its body. */
export interface Answer {
  readonly description: string;
  readonly schema?: SchemaPart;
  readonly location?: boolean;
}

const refusals: Readonly<Record<number, string>> = {
  400: 'A field, header or parameter is not legal: INVALID_ARGUMENT, OUT_OF_RANGE.',
  403: 'Another site, or another host than ours, was named: PERMISSION_DENIED.',
  404: 'There is no such resource: NOT_FOUND.',
  408: 'The request came too slowly: DEADLINE_EXCEEDED.',
  409: 'The resource cannot do this now: FAILED_PRECONDITION, ABORTED, ALREADY_EXISTS.',
  413: 'The body is too long: OUT_OF_RANGE.',
  415: 'The body is no JSON by its type: INVALID_ARGUMENT.',
  500: 'A fault of VBS or of a plugin: INTERNAL.',
  501: 'The plugin cannot do this: UNSUPPORTED.',
  503: 'Something does not answer, or a limit is reached: UNAVAILABLE.',
  504: 'Something did not end in time: DEADLINE_EXCEEDED.',
  507: 'No room is left: RESOURCE_EXHAUSTED.',
};
const ofReads = [400, 403, 404, 500, 503, 504] as const;
const ofChanges = [...ofReads, 408, 409, 413, 415, 501, 507] as const;

function problemsOf(statuses: readonly number[], operates: boolean) {
  const told = operates
    ? { 'X-Request-Id': headers['X-Request-Id'], 'VBS-Operation': headers['VBS-Operation'] }
    : { 'X-Request-Id': headers['X-Request-Id'] };
  const content = { 'application/problem+json': { schema: refTo('problem') } };
  return Object.fromEntries(statuses.map((status) => [status, { description: refusals[status], headers: told, content }]));
}

function answerOf({ description, schema, location }: Answer, operates: boolean) {
  const operating = { 'VBS-Operation': headers['VBS-Operation'], 'Preference-Applied': headers['Preference-Applied'] };
  return {
    description,
    headers: {
      'X-Request-Id': headers['X-Request-Id'],
      ...(location === true ? { Location: headers.Location } : {}),
      ...(operates ? operating : {}),
    },
    ...(schema === undefined ? { type: 'null' } : { content: { 'application/json': { schema } } }),
  };
}

/** What a route that only reads answers, refusals included. */
export function reads(schema: SchemaPart, description: string): SchemaPart {
  return { 200: answerOf({ description, schema }, false), ...problemsOf(ofReads, false) };
}

/** What a route that changes at once answers. */
export function changes(schema: SchemaPart, description: string): SchemaPart {
  return { 200: answerOf({ description, schema }, false), ...problemsOf(ofChanges, false) };
}

/** What a route that begins an operation answers; 202 where it has not ended in time. */
export function operates(done: Readonly<Record<number, Answer>>): SchemaPart {
  const pending: Answer = { description: 'The operation goes on.', schema: refTo('operation'), location: true };
  const answers = Object.entries({ 202: pending, ...done }).map(([status, answer]) => [status, answerOf(answer, true)]);
  return { ...Object.fromEntries(answers), ...problemsOf(ofChanges, true) };
}

export function listOf(name: keyof typeof schemas): SchemaPart {
  return { type: 'object', required: ['items'], properties: { items: { type: 'array', items: refTo(name) } } };
}

export function pageOf(name: keyof typeof schemas): SchemaPart {
  return {
    type: 'object',
    required: ['items', 'nextCursor'],
    properties: {
      items: { type: 'array', items: refTo(name) },
      nextCursor: { description: 'For the next page; null on the last one.', type: ['string', 'null'] },
    },
  };
}
