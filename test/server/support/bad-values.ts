import fc from 'fast-check';

/** A route of the server's document, with the names that its query and its body may have. */
export interface FuzzedRoute {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly string[];
  readonly fields: readonly string[];
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: { readonly $ref: string } }>> };
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, { readonly properties?: object }>> };
}

/** The routes of an OpenAPI document. Streams of events are left out: they do not end. */
export function fuzzedRoutes({ paths, components }: Document): readonly FuzzedRoute[] {
  return Object.entries(paths)
    .filter(([path]) => path.startsWith('/v1/') && path !== '/v1/events')
    .flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, { parameters = [], requestBody }]) => {
        const schema = requestBody?.content['application/json']?.schema.$ref.split('/').at(-1) ?? '';
        return {
          method: method.toUpperCase(),
          path,
          parameters: parameters.filter((one) => one.in === 'query').map(({ name }) => name),
          fields: Object.keys(components.schemas[schema]?.properties ?? {}),
        };
      }),
    );
}

/** Of each field and parameter, what is legal or nearly so. */
const likely: Readonly<Record<string, readonly unknown[]>> = {
  size: ['1MiB', '8MiB', 512, 4_194_304, '8PiB', '7PiB', 0],
  comment: ['', 'x', 'é'],
  backend: ['vs1/files', 'vs1'],
  vmmHost: ['sandbox', 'SANDBOX', 'sandbox.example.org'],
  vmId: ['vm1', 'vm2', 'VM1'],
  instanceId: ['i-1'],
  device: ['xvdb', 'xvdc', '/dev/xvdd', '51712', 'xvda', 'xvdzz'],
  access: ['read-only', 'read-write'],
  force: [true, false],
  nodeIsDead: [true, false],
  repair: [true, false],
  accept: [true, false],
  limit: ['1', '1000', '1001'],
  state: ['available', 'attached', 'completed', 'succeeded', 'error'],
  cursor: ['czE', 'czk5'],
};

const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ maxLength: 300 }));
const anything = fc.oneof(text, fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.jsonValue({ maxDepth: 3 }));

/** What a request of a route may hold: mostly its own names with likely values, among ids that there are. */
export function requestsOf({ parameters, fields }: FuzzedRoute, ids: Readonly<Record<string, string>>) {
  const someId = fc.constantFrom(...Object.values(ids));
  const valuesFor = (name: string): fc.Arbitrary<unknown> => {
    const values = likely[name];
    return fc.oneof(
      { weight: 12, arbitrary: values === undefined ? someId : fc.constantFrom(...values) },
      { weight: 1, arbitrary: fc.oneof(someId, anything) },
    );
  };
  const named = fc.record(Object.fromEntries(fields.map((name) => [name, valuesFor(name)])), { requiredKeys: [] });
  const parameter: fc.Arbitrary<[string, string]> =
    parameters.length === 0
      ? fc.tuple(text, text)
      : fc.constantFrom(...parameters).chain((name) => fc.tuple(fc.constant(name), valuesFor(name).map(String)));
  return fc.record({
    id: fc.oneof({ weight: 12, arbitrary: someId }, { weight: 1, arbitrary: text }),
    query: fc.oneof(
      { weight: 4, arbitrary: fc.constant<[string, string][]>([]) },
      { weight: parameters.length, arbitrary: fc.array(parameter, { maxLength: 3 }) },
    ),
    body: fc.oneof({ weight: 9, arbitrary: named }, { weight: 1, arbitrary: fc.oneof(fc.object({ maxDepth: 2 }), fc.jsonValue()) }),
  });
}
