import { schemas } from '@vbs/schemas';
import { Ajv2020, type AnySchemaObject, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { FastifySchemaCompiler } from 'fastify';
import { invalid } from '../problems/refusal.js';
import { faultOf, type RequestPart } from './faults.js';

type Validated = { readonly value: unknown } | { readonly error: Error };

const parts: Readonly<Record<string, RequestPart['part']>> = { body: 'body', querystring: 'query', params: 'path' };
const wholeNumber = /^-?[0-9]{1,15}$/;

/** An ajv that knows every schema of @vbs/schemas. Stops at the first fault: a request is told one at a time. */
export function createAjv(): Ajv2020 {
  const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, verbose: true });
  addFormats.default(ajv);
  for (const schema of Object.values(schemas)) ajv.addSchema(schema as AnySchemaObject);
  return ajv;
}

function propertiesOf(ajv: Ajv2020, schema: AnySchemaObject): Readonly<Record<string, AnySchemaObject>> {
  const named = typeof schema.$ref === 'string' ? ajv.getSchema(schema.$ref)?.schema : schema;
  const { properties } = (named ?? {}) as { properties?: Record<string, AnySchemaObject> };
  return properties ?? {};
}

/** Parameters as the schema has them: whole numbers for texts of digits; each once, but for lists. */
function readQuery(
  properties: Readonly<Record<string, AnySchemaObject>>,
  data: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => {
      const { type } = properties[name] ?? {};
      if (type === 'array') return [name, (Array.isArray(value) ? value : [value]).flatMap((item) => String(item).split(','))];
      if (Array.isArray(value)) throw invalid(name.slice(0, 64), `${name.slice(0, 64)} was given ${value.length} times; give it once`);
      return [name, type === 'integer' && typeof value === 'string' && wholeNumber.test(value) ? Number(value) : value];
    }),
  );
}

function validated(validate: ValidateFunction, about: RequestPart, data: unknown): Validated {
  if (validate(data)) return { value: data };
  return { error: faultOf(about, data, validate.errors ?? []) };
}

/** Compiles each route's schemas once, when it is registered. Only query strings are coerced. Headers are read by those who want them. */
export function createValidatorCompiler(ajv: Ajv2020): FastifySchemaCompiler<AnySchemaObject> {
  return ({ schema, httpPart }) => {
    const part = parts[httpPart ?? ''];
    if (part === undefined) return () => true;
    const validate = ajv.compile(schema);
    const properties = propertiesOf(ajv, schema);
    const about = { part, properties };
    if (part !== 'query') return (data) => validated(validate, about, data);
    return (data) => {
      try {
        return validated(validate, about, readQuery(properties, data));
      } catch (error) {
        return { error: error instanceof Error ? error : new Error(String(error)) };
      }
    };
  };
}
