import { type BadRequest, notFound, unknownIds } from './bad-request.js';

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const kinds = { volumes: 'volume', snapshots: 'snapshot', attachments: 'attachment', operations: 'operation' } as const;
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND'];

/** The names that the place has for resources of a kind, so that only what is said to be wrong is. */
const another = { volume: '{snapshot}', snapshot: '{volume}', attachment: '{operation}', operation: '{attachment}' } as const;
const present = { volume: '{attached}', snapshot: '{snapshot}', attachment: '{attachment}', operation: '{operation}' } as const;
type Kind = keyof typeof present;

/** Refused by TCP before anything is looked for. */
const operatorsOnly: ReadonlySet<string> = new Set(['/v1/attachments/{id}/credentials']);
const forbidden = { status: 403, code: 'PERMISSION_DENIED', field: null } as const;

/** A body that the route would take. */
const bodies: Readonly<Record<string, unknown>> = {
  '/v1/volumes/{id}/attachments': { vmmHost: 'sandbox', vmId: 'vm2', device: 'xvdd' },
  '/v1/volumes/{id}/extend': { size: '8MiB' },
  '/v1/volumes': { size: '8MiB' },
  '/v1/snapshots': { volumeId: '{volume}' },
};

/** Each parameter of a path, with the kind of resource that it names. */
function parametersOf(path: string): readonly (readonly [name: string, kind: Kind])[] {
  const parts = path.split('/');
  return parts.flatMap((part, index) => {
    const kind = kinds[parts[index - 1] as keyof typeof kinds];
    return part.startsWith('{') && kind !== undefined ? [[part.slice(1, -1), kind] as const] : [];
  });
}

function pathWith(path: string, wrong: string, id: string): string {
  return parametersOf(path).reduce((text, [name, kind]) => text.replace(`{${name}}`, name === wrong ? id : present[kind]), path);
}

/** What every route of an OpenAPI document must refuse: ids that are unknown or of another kind, methods that it has not, other hosts. */
export function badOfEachRoute({ paths }: Document): readonly BadRequest[] {
  return Object.entries(paths).flatMap(([path, operations]) => {
    const has = new Set(Object.keys(operations).map((method) => method.toUpperCase()));
    const allow = [...has, 'OPTIONS', ...(has.has('GET') ? ['HEAD'] : [])];
    return [
      ...[...has].flatMap((method) => [...badIds(path, method), ...badParameter(path, method)]),
      ...methods.filter((method) => !has.has(method)).map((method) => wrongMethod(path, method, [...new Set(allow)].sort())),
    ];
  });
}

function badIds(path: string, method: string): BadRequest[] {
  const body = method === 'POST' && bodies[path] !== undefined ? { body: bodies[path] } : {};
  return parametersOf(path).flatMap(([name, kind]): BadRequest[] => {
    const request = { method, field: name, ...body };
    return [
      {
        what: `an unknown ${kind}: ${method} ${path}`,
        ...request,
        path: pathWith(path, name, unknownIds[kind]),
        ...(operatorsOnly.has(path) ? forbidden : notFound),
      },
      {
        what: `another kind in place of the ${kind}: ${method} ${path}`,
        ...request,
        path: pathWith(path, name, another[kind]),
        status: 400,
        code: 'INVALID_ARGUMENT',
      },
    ];
  });
}

function badParameter(path: string, method: string): BadRequest[] {
  // Those who look after the server's health may put into the query what they like.
  if (!path.startsWith('/v1/')) return [];
  return [
    {
      what: `an unknown parameter: ${method} ${path}`,
      method,
      path: `${pathWith(path, '', '')}?nosuch=1`,
      ...(method === 'POST' ? { body: bodies[path] ?? {} } : {}),
      status: 400,
      code: 'INVALID_ARGUMENT',
      field: 'nosuch',
    },
  ];
}

function wrongMethod(path: string, method: string, allow: readonly string[]): BadRequest {
  return {
    what: `a method that is not allowed: ${method} ${path}`,
    method,
    path: pathWith(path, '', ''),
    status: 405,
    code: 'INVALID_ARGUMENT',
    field: 'method',
    allow: allow.join(', '),
  };
}
