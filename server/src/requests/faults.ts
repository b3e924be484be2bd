import { nearest, parseSize, VbsError } from '@vbs/core';
import type { ErrorObject } from 'ajv/dist/2020.js';
import { invalid } from '../problems/refusal.js';

/** A part of a request, by the properties that its schema has. */
export interface RequestPart {
  readonly part: 'body' | 'query' | 'path';
  readonly properties: Readonly<Record<string, unknown>>;
}

const shownName = (name: string): string => name.slice(0, 64);

/** The first field that the schema does not have. */
function unknownField({ part, properties }: RequestPart, data: object): VbsError | undefined {
  const legal = Object.keys(properties);
  const name = Object.keys(data).find((key) => !Object.hasOwn(properties, key));
  if (name === undefined) return undefined;
  const field = shownName(name);
  const meant = nearest(field, legal);
  const there = legal.length === 0 ? 'there are none' : `there are ${legal.join(', ')}`;
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  return invalid(field, `${field} is not a ${part === 'query' ? 'parameter' : 'field'} of this request; ${there}${hint}`, {
    legal,
    ...(meant === undefined ? {} : { meant }),
  });
}

const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  boolean: 'true or false',
  integer: 'a whole number',
  number: 'a number',
  object: 'an object',
  array: 'a list',
};

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'string' ? 'a text' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function notOneOf(field: string, value: unknown, legal: readonly string[]): VbsError {
  const meant = typeof value === 'string' ? nearest(value, legal) : undefined;
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  return invalid(field, `${field} must be one of ${legal.join(', ')}${hint}`, { legal, ...(meant === undefined ? {} : { meant }) });
}

/** What a size misses is told by the one who reads sizes. */
function wrongSize(value: unknown): VbsError {
  try {
    parseSize(value);
  } catch (error) {
    if (error instanceof VbsError) return error;
    throw error;
  }
  return invalid('size', 'size must be a whole number of bytes, or a text such as "64MiB"');
}

function wrongValue(field: string, { keyword, params, parentSchema, data }: ErrorObject): VbsError {
  switch (keyword) {
    case 'enum':
      return notOneOf(field, data, params.allowedValues as string[]);
    case 'type':
      return invalid(field, `${field} must be ${kinds[String(params.type)] ?? params.type}, not ${kindOf(data)}`);
    case 'minimum':
    case 'maximum': {
      const { minimum, maximum } = parentSchema as { minimum: number; maximum: number };
      return new VbsError('OUT_OF_RANGE', `${field} must be a whole number from ${minimum} to ${maximum}`, {
        context: { field, least: minimum, most: maximum },
      });
    }
    case 'pattern':
      return invalid(field, `${field} must be ${parentSchema?.description ?? 'of another form'}`);
    default:
      return invalid(field, `${field} is not legal`);
  }
}

/** What is wrong with a part of a request, in our words: a field that is not there at all first. */
export function faultOf(about: RequestPart, data: unknown, errors: readonly ErrorObject[]): VbsError {
  if (typeof data !== 'object' || data === null) {
    const fields = Object.keys(about.properties).join(', ');
    return invalid('body', `the body is missing: it must be a JSON object; its fields are ${fields}`);
  }
  const [first] = errors;
  const unknown = unknownField(about, data);
  if (unknown !== undefined) return unknown;
  if (first === undefined) return invalid(about.part, 'the request is not legal');
  if (first.keyword === 'required') {
    const field = String(first.params.missingProperty);
    return invalid(field, `${field} is missing`);
  }
  const field = first.instancePath.slice(1).split('/')[0] ?? '';
  const value = (data as Readonly<Record<string, unknown>>)[field];
  return field === 'size' ? wrongSize(value) : wrongValue(field, first);
}
