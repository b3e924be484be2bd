import { readFileSync } from 'node:fs';

export type * from './generated/index.js';

/** A JSON Schema (2020-12) of this package. Its `$id` is what the `$ref`s of the others name. */
export interface JsonSchema {
  readonly $id: string;
  readonly title: string;
  readonly [keyword: string]: unknown;
}

function load(name: string): JsonSchema {
  return JSON.parse(readFileSync(new URL(`../${name}.schema.json`, import.meta.url), 'utf8')) as JsonSchema;
}

/** Every schema, for ajv and fastify: those with `$ref`s need the schemas that these name added beside them. */
export const schemas = {
  attachment: load('attachment'),
  attachVolumeRequest: load('attach-volume-request'),
  configuration: load('configuration'),
  createSnapshotRequest: load('create-snapshot-request'),
  createVolumeRequest: load('create-volume-request'),
  credentials: load('credentials'),
  detachVolumeRequest: load('detach-volume-request'),
  event: load('event'),
  extendVolumeRequest: load('extend-volume-request'),
  instanceCheck: load('instance-check'),
  journalEntry: load('journal-entry'),
  operation: load('operation'),
  pool: load('pool'),
  problem: load('problem'),
  progress: load('progress'),
  readiness: load('readiness'),
  reconcileReport: load('reconcile-report'),
  reconcileRequest: load('reconcile-request'),
  route: load('route'),
  size: load('size'),
  snapshot: load('snapshot'),
  volume: load('volume'),
} as const;
