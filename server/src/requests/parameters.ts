import { type DescribeRequest, type IdKind, idPrefixes } from '@vbs/core';
import { schemas } from '@vbs/schemas';
import { longestWaitSeconds } from './prefer.js';

type SchemaPart = Readonly<Record<string, unknown>>;

function idSchema(kind: IdKind): SchemaPart {
  const article = /^[aeo]/.test(kind) ? 'an' : 'a';
  const prefix = idPrefixes[kind];
  return { type: 'string', description: `the id of ${article} ${kind}: ${prefix}- and 17 hex digits`, pattern: `^${prefix}-[0-9a-f]{17}$` };
}

const strict = (properties: SchemaPart, required: readonly string[] = []): SchemaPart => ({
  type: 'object',
  additionalProperties: false,
  required,
  properties,
});

/** The path's `id`. */
export const idOf = (kind: IdKind): SchemaPart => strict({ id: idSchema(kind) }, ['id']);

export const volumeAndAttachment = strict({ id: idSchema('volume'), attachmentId: idSchema('attachment') }, ['id', 'attachmentId']);

export const noQuery = strict({});

export const eventsQuery = strict({
  after: {
    type: 'integer',
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    description: 'The sequence of the last event that was dealt with; 0 for the oldest that is kept.',
  },
});

/** What every list takes, and what one of them takes beside it. */
export function pageQuery(kind: 'volume' | 'snapshot' | 'attachment' | 'operation', others: SchemaPart = {}): SchemaPart {
  const { properties } = schemas[kind] as unknown as { properties: { state: { enum: readonly string[] } } };
  return strict({
    limit: { type: 'integer', minimum: 1, maximum: 1000, description: 'How many at the most; 100 unless told.' },
    cursor: { type: 'string', description: 'The nextCursor of the page before.' },
    state: { type: 'string', enum: properties.state.enum, description: 'Only those in this state.' },
    ids: {
      type: 'array',
      items: { type: 'string' },
      description: 'Only these, all of which must exist; repeated, or with commas between.',
    },
    ...others,
  });
}

export type PageQuery = DescribeRequest;

const prefer = {
  type: 'string',
  description: `wait=N: how many seconds to wait for the operation (0 to ${longestWaitSeconds}; 30 unless told); respond-async: not at all.`,
};

export const preferHeader = { type: 'object', properties: { Prefer: prefer } } as const;

export const operationHeaders = {
  type: 'object',
  properties: {
    Prefer: prefer,
    'Idempotency-Key': {
      type: 'string',
      description: 'A repeat of the same request with the same key within 24 h answers what the first one did.',
      maxLength: 255,
    },
  },
} as const;
