import test, { type ExecutionContext } from 'ava';

interface Key {
  readonly path: string;
  readonly schema: object;
  readonly required: boolean;
}
type Schema = Readonly<Record<string, unknown>>;
type Facts = Readonly<Record<string, { readonly example?: unknown; readonly default?: string }>>;

const scripts = new URL('../../../scripts/generate/configuration/', import.meta.url);
const { keysOf } = (await import(new URL('schema-keys.mjs', scripts).href)) as {
  keysOf(schema: Schema, document: Schema, options?: { stopAt?(schema: Schema): boolean }): readonly Key[];
};
const { sayType } = (await import(new URL('say-type.mjs', scripts).href)) as { sayType(schema: Schema, document: Schema): string };
const { keyTable } = (await import(new URL('key-table.mjs', scripts).href)) as {
  keyTable(keys: readonly Key[], document: Schema, facts?: Facts): string;
};

const document: Schema = {
  title: 'A plugin',
  type: 'object',
  required: ['pool'],
  properties: {
    pool: { description: 'The pool.', type: 'string', minLength: 1, examples: ['vg0'] },
    retries: { description: 'How often.', type: 'integer', minimum: 0, default: 3 },
    tls: {
      description: 'TLS.',
      type: 'object',
      required: ['key'],
      properties: { key: { description: 'The key.', type: 'string', examples: ['/k'] }, strict: { description: 'S.', type: 'boolean' } },
    },
    hosts: { description: 'By name.', type: 'object', additionalProperties: { $ref: '#/$defs/host' } },
    where: { description: 'A place.', anyOf: [{ const: 'here' }, { $ref: '#/$defs/there' }] },
    list: { description: 'Some.', type: 'array', items: { $ref: '#/$defs/host' } },
  },
  $defs: {
    host: { type: 'object', properties: { port: { description: 'P.', type: 'integer', examples: [1] } } },
    there: { type: 'object', required: ['url'], properties: { url: { description: 'U.', type: 'string', examples: ['u'] } } },
  },
};

test('keysOf › finds every key at any depth, in order, and says which are required', (t) => {
  t.deepEqual(
    keysOf(document, document).map(({ path, required }) => [path, required]),
    [
      ['pool', true],
      ['retries', false],
      ['tls', false],
      ['tls.key', true],
      ['tls.strict', false],
      ['hosts', false],
      ['hosts.NAME.port', false],
      ['where', false],
      ['where.url', true],
      ['list', false],
      ['list[].port', false],
    ],
  );
});

test('keysOf › does not go into what has a section of its own', (t) => {
  const stopAt = (schema: Schema): boolean => JSON.stringify(schema).includes('#/$defs/host"');
  t.false(keysOf(document, document, { stopAt }).some(({ path }) => path.startsWith('hosts.') || path.startsWith('list[]')));
});

test('keysOf › a key that only one of two shapes requires is not required', (t) => {
  const either = {
    anyOf: [
      { required: ['env'], properties: { env: {} } },
      { required: ['file'], properties: { file: {} } },
    ],
  };
  t.deepEqual(
    keysOf(either, either).map(({ path, required }) => [path, required]),
    [
      ['env', false],
      ['file', false],
    ],
  );
});

test('keysOf › a reference that leads nowhere is a fault', (t) => {
  t.throws(() => keysOf({ $ref: '#/$defs/none' }, document), { message: /leads nowhere/ });
});

const says = test.macro({
  title: (_, schema: Schema, text: string) => `sayType › ${JSON.stringify(schema)} is ${text}`,
  exec(t: ExecutionContext, schema: Schema, text: string) {
    t.is(sayType(schema, document), text);
  },
});

test(says, { type: 'boolean' }, '`true` or `false`');
test(says, { type: 'string', minLength: 1 }, 'a text');
test(says, { type: 'string', minLength: 1, maxLength: 255 }, 'a text of 1 to 255 characters');
test(says, { type: 'string', pattern: '^a|b$' }, 'a text that matches `^a|b$`');
test(says, { type: 'integer', minimum: 0, maximum: 65535 }, 'a whole number, 0 to 65,535');
test(says, { type: 'integer', minimum: 1 }, 'a whole number, at least 1');
test(says, { type: 'number', exclusiveMinimum: 0 }, 'a number, more than 0');
test(says, { enum: ['a', 'b', 'c'] }, '`a`, `b` or `c`');
test(says, { const: 1 }, '`1`');
test(says, { type: 'array', items: { type: 'string' }, uniqueItems: true }, 'a list of texts, no two the same');
test(says, { type: 'object', additionalProperties: { type: 'integer', minimum: 1 } }, 'a map of whole numbers, at least 1, by name');
test(says, { type: 'object', properties: {}, additionalProperties: false }, 'keys of its own');
test(says, { anyOf: [{ const: 'here' }, { $ref: '#/$defs/there' }] }, '`here` or keys of its own');
test(says, { type: 'string', writeOnly: true }, 'a [secret](#secrets)');

test('sayType › what it has no words for is a fault', (t) => {
  t.throws(() => sayType({ type: 'null' }, document), { message: /cannot be told/ });
});

test('keyTable › a row tells what a key takes, its default, an example and what it is', (t) => {
  const rows = keyTable(keysOf(document, document), document, {
    hosts: { example: { a: { port: 1 } } },
    list: { example: [] },
    where: { example: 'here' },
  }).split('\n');
  t.is(rows[0], '| key | takes | default | example | what it is |');
  t.is(rows[2], '| `pool` | a text | **required** | `vg0` | The pool. |');
  t.is(rows[3], '| `retries` | a whole number, at least 0 | `3` | `3` | How often. |');
  t.is(rows[4], '| `tls` | keys of its own | – | `{ key: /k }` | TLS. |');
  t.is(rows[5], '| `tls.key` | a text | **required** in `tls` | `/k` | The key. |');
  t.is(rows[7], '| `hosts` | a map, by name | – | `{ a: { port: 1 } }` | By name. |');
});

test('keyTable › bars in a cell are escaped', (t) => {
  const own = { title: 'x', properties: { k: { description: 'a | b', type: 'string', pattern: 'a|b', examples: ['a'] } } };
  t.is(keyTable(keysOf(own, own), own).split('\n')[2], '| `k` | a text that matches `a\\|b` | – | `a` | a \\| b |');
});

test('keyTable › keys that need each other are told', (t) => {
  const own = { title: 'x', properties: { k: { description: 'K.', type: 'object', examples: [{}], dependentRequired: { a: ['b'] } } } };
  t.regex(keyTable(keysOf(own, own), own), /\| K\. `a` goes with `b`\. \|$/);
});

test('keyTable › a key without an example, or without a description, is a fault that says what to do', (t) => {
  const bare = { title: 'bare', properties: { k: { description: 'K.', type: 'string' } } };
  t.throws(() => keyTable(keysOf(bare, bare), bare), { message: /bare: k has no example; add "examples"/ });
  const mute = { title: 'mute', properties: { k: { type: 'boolean' } } };
  t.throws(() => keyTable(keysOf(mute, mute), mute), { message: /mute: k has no description/ });
});
