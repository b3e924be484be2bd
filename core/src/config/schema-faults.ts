import type { ErrorObject } from 'ajv';
import { type ConfigurationFault, pointer } from './fault.js';
import { nearest } from './nearest.js';
import { isPlainObject } from './plain-data.js';
import { alternativesOf, withoutUnionNoise } from './union-errors.js';

export interface SchemaFaultOptions {
  /** The schema, in which `$ref`s are looked up. */
  readonly schema: object;
  /** The JSON pointer of what was validated. */
  readonly at?: string;
  /** Legal keys at the top that the schema does not know of. */
  readonly otherKeys?: readonly string[];
  /** Places whose value must not show, not even as a suggestion. */
  readonly secretPaths?: ReadonlySet<string>;
}

const quote = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

const articles: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'a map of keys to values',
  array: 'a list',
  null: 'null',
};

function typeMessage(type: unknown): string {
  const types = Array.isArray(type) ? type : [type];
  return `must be ${types.map((one) => articles[String(one)] ?? String(one)).join(' or ')}`;
}

function choiceMessage(allowed: readonly unknown[], data: unknown, hidden: boolean): string {
  const meant = typeof data === 'string' && !hidden ? nearest(data, allowed.map(quote)) : undefined;
  return `must be ${allowed.map(quote).join(' or ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`;
}

function unknownKeyMessage(key: string, legal: readonly string[]): string {
  const meant = nearest(key, legal);
  if (meant !== undefined) return `unknown key; did you mean ${meant}?`;
  return legal.length === 0 ? 'unknown key; no keys are known here' : `unknown key; known here are ${legal.join(', ')}`;
}

/** Alternatives by what their schemas say of themselves. */
function unionMessage(error: ErrorObject, root: unknown): string {
  const alternatives = alternativesOf(error, root).map((branch) => {
    if (!isPlainObject(branch)) return undefined;
    if (typeof branch.description === 'string') return branch.description;
    if ('const' in branch) return quote(branch.const);
    return typeof branch.type === 'string' ? articles[branch.type] : undefined;
  });
  return alternatives.length === 0 || alternatives.includes(undefined)
    ? (error.message ?? 'fits none of its forms')
    : `must be one of: ${alternatives.join('; ')}`;
}

function keyOf(error: ErrorObject): string | undefined {
  const key: unknown =
    error.params.missingProperty ?? error.params.additionalProperty ?? error.params.unevaluatedProperty ?? error.params.propertyName;
  return typeof key === 'string' ? key : undefined;
}

function legalKeys(error: ErrorObject, options: SchemaFaultOptions): string[] {
  const known = isPlainObject(error.parentSchema?.properties) ? Object.keys(error.parentSchema.properties) : [];
  const others = error.instancePath === '' ? (options.otherKeys ?? []) : [];
  return [...known, ...others];
}

/** Where other keys are legal too, a misspelt one is not told of by itself. */
function missingKeyMessage(error: ErrorObject): string {
  const known = isPlainObject(error.parentSchema?.properties) ? error.parentSchema.properties : {};
  const strangers = isPlainObject(error.data) ? Object.keys(error.data).filter((key) => !Object.hasOwn(known, key)) : [];
  const near = nearest(keyOf(error) ?? '', strangers);
  return near === undefined ? 'is missing' : `is missing; is ${near} meant to be it?`;
}

function message(error: ErrorObject, options: SchemaFaultOptions, nameFaults: ReadonlyMap<string, string>): string {
  const hidden = options.secretPaths?.has(error.instancePath) ?? false;
  const description: unknown = error.parentSchema?.description;
  switch (error.keyword) {
    case 'required':
    case 'dependentRequired':
      return missingKeyMessage(error);
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return unknownKeyMessage(keyOf(error) ?? '', legalKeys(error, options));
    case 'propertyNames':
      return `is not a legal name: ${nameFaults.get(pointer(error.instancePath, keyOf(error) ?? '')) ?? 'see the schema'}`;
    case 'type':
      return typeMessage(error.params.type);
    case 'const':
      return choiceMessage([error.params.allowedValue], error.data, hidden);
    case 'enum':
      return choiceMessage(error.params.allowedValues as unknown[], error.data, hidden);
    case 'anyOf':
    case 'oneOf':
      return unionMessage(error, options.schema);
    case 'pattern':
      return typeof description === 'string' ? `is not legal: ${description}` : (error.message ?? 'is not legal');
    default:
      return error.message ?? `breaks the rule ${error.keyword}`;
  }
}

/** What Ajv found (with `allErrors` and `verbose`), one fault for each cause. */
export function schemaFaults(errors: readonly ErrorObject[], options: SchemaFaultOptions): ConfigurationFault[] {
  const nameFaults = new Map<string, string>();
  const faults: ConfigurationFault[] = [];
  const meant = new Set<string>();
  const missing: ConfigurationFault[] = [];
  for (const error of withoutUnionNoise(errors, options.schema)) {
    if (error.propertyName !== undefined) {
      // Says what is wrong with a key; the error of propertyNames, which comes after it, says where.
      const description: unknown = error.parentSchema?.description;
      nameFaults.set(
        pointer(error.instancePath, error.propertyName),
        typeof description === 'string' ? description : (error.message ?? ''),
      );
      continue;
    }
    if (error.keyword === 'if') continue; // its then or else has said it
    const key = keyOf(error);
    const path = (options.at ?? '') + (key === undefined ? error.instancePath : pointer(error.instancePath, key));
    const fault = { path, message: message(error, options, nameFaults) };
    if (error.keyword === 'required') {
      missing.push(fault);
      continue;
    }
    faults.push(fault);
    const suggestion = error.keyword.endsWith('Properties') && key !== undefined ? nearest(key, legalKeys(error, options)) : undefined;
    if (suggestion !== undefined) meant.add((options.at ?? '') + pointer(error.instancePath, suggestion));
  }
  // A key that is missing because it is misspelt is one fault.
  return [...faults, ...missing.filter(({ path }) => !meant.has(path))];
}
