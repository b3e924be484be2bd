import { parseString } from './options.js';

/** The data of NBD_OPT_LIST_META_CONTEXT and NBD_OPT_SET_META_CONTEXT. */
export interface MetaContextRequest {
  readonly exportName: string;
  readonly queries: readonly string[];
}

export function encodeMetaContextRequest({ exportName, queries }: MetaContextRequest): Buffer {
  const count = Buffer.alloc(4);
  count.writeUInt32BE(queries.length);
  return Buffer.concat([encodeString(exportName), count, ...queries.map(encodeString)]);
}

/** Null when lengths and data do not fit each other, or a string is none of the protocol. */
export function parseMetaContextRequest(data: Buffer): MetaContextRequest | null {
  const name = takeString(data, 0);
  if (name === null || name.end + 4 > data.length) return null;
  const count = data.readUInt32BE(name.end);
  const queries: string[] = [];
  let at = name.end + 4;
  // Each query takes 4 bytes at least: a count that the data cannot hold ends this early.
  for (let index = 0; index < count; index += 1) {
    const query = takeString(data, at);
    if (query === null) return null;
    queries.push(query.text);
    at = query.end;
  }
  return at === data.length ? { exportName: name.text, queries } : null;
}

/** The body of NBD_REP_META_CONTEXT. */
export function encodeMetaContext({ id, name }: { readonly id: number; readonly name: string }): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(id);
  return Buffer.concat([head, Buffer.from(name)]);
}

function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function takeString(data: Buffer, at: number): { readonly text: string; readonly end: number } | null {
  if (at + 4 > data.length) return null;
  const end = at + 4 + data.readUInt32BE(at);
  if (end > data.length) return null;
  const text = parseString(data.subarray(at + 4, end));
  return text === null ? null : { text, end };
}
