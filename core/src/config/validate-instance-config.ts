import { Ajv2020, type AnySchemaObject, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { isSecret, type Secret } from '../contract/secret.js';
import { VbsError } from '../errors.js';
import type { InstanceConfiguration } from './configuration.js';
import { type ConfigurationFault, pointer } from './fault.js';
import { isPlainObject } from './plain-data.js';
import { reservedKeys } from './read-instance.js';
import { schemaFaults } from './schema-faults.js';

export interface ValidatedConfig {
  /** The instance's own keys with the schema's defaults. Only legal when there are no faults. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly faults: readonly ConfigurationFault[];
}

const compiled = new WeakMap<object, ValidateFunction>();

function compile(schema: object, instance: InstanceConfiguration): ValidateFunction {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  try {
    const ajv = new Ajv2020({ allErrors: true, strict: true, verbose: true, useDefaults: true });
    addFormats.default(ajv);
    // Only annotations for Ajv otherwise: here it makes a text that is no Secret a fault.
    ajv.removeKeyword('writeOnly');
    ajv.addKeyword({ keyword: 'writeOnly', schemaType: 'boolean', validate: markWriteOnly, errors: false });
    const validate = ajv.compile(schema as AnySchemaObject);
    compiled.set(schema, validate);
    return validate;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new VbsError('PLUGIN_INVALID', `The configuration schema of the plugin ${instance.plugin} is not legal: ${reason}`, {
      cause: error,
      context: { plugin: instance.plugin, path: instance.path },
    });
  }
}

/** The places that the running validation found marked `writeOnly`; validation is synchronous. */
let writeOnlyPaths = new Set<string>();

function markWriteOnly(marked: boolean, data: unknown, _schema?: unknown, context?: { readonly instancePath: string }): boolean {
  if (marked && typeof data === 'string' && context !== undefined) writeOnlyPaths.add(context.instancePath);
  return true;
}

/** A copy for the validator: each Secret as its text, remembered by its place. Values that are no plain data stay what they are. */
function revealed(value: unknown, at: string, secrets: Map<string, Secret>): unknown {
  if (isSecret(value)) {
    secrets.set(at, value);
    return value.reveal();
  }
  if (Array.isArray(value)) return value.map((item: unknown, index) => revealed(item, pointer(at, index), secrets));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revealed(item, pointer(at, key), secrets)]));
}

function concealed(value: unknown, at: string, secrets: ReadonlyMap<string, Secret>): unknown {
  const secret = secrets.get(at);
  if (secret !== undefined) return secret;
  if (Array.isArray(value)) return value.map((item: unknown, index) => concealed(item, pointer(at, index), secrets));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, concealed(item, pointer(at, key), secrets)]));
}

/**
 * Validates the plugin's own keys of an instance by its provider's schema, and fills in the schema's defaults. A Secret counts as
 * the text it holds (so `minLength` and `pattern` hold for it) and stays a Secret; where the schema says `writeOnly`, a text that
 * is no Secret is a fault, and everywhere else a Secret is one: the plugin expects plain data there.
 * @throws PLUGIN_INVALID: the schema itself is not legal under Ajv's strict mode (JSON Schema 2020-12).
 */
export function validateInstanceConfig(schema: object, instance: InstanceConfiguration): ValidatedConfig {
  const validate = compile(schema, instance);
  const secrets = new Map<string, Secret>();
  const copy = revealed(instance.config, '', secrets);
  writeOnlyPaths = new Set();
  const legal = validate(copy);
  const plain = [...writeOnlyPaths].filter((path) => !secrets.has(path));
  const unmarked = new Set([...secrets.keys()].filter((path) => !writeOnlyPaths.has(path)));
  // What is wrong with the text of a secret that cannot stand there is beside the point.
  const errors = legal ? [] : (validate.errors ?? []).filter(({ instancePath }) => !unmarked.has(instancePath));
  const found = schemaFaults(errors, { schema, at: instance.path, otherKeys: reservedKeys, secretPaths: new Set(secrets.keys()) });
  const told = new Set(found.map(({ path }) => path));
  const faults = [
    ...found,
    ...plain.map((path) => ({ path: instance.path + path, message: 'is a secret: give it as { env: NAME } or { file: path }' })),
    ...[...unmarked]
      .map((path) => ({ path: instance.path + path, message: 'takes no secret: the plugin expects its value in plain text' }))
      .filter(({ path }) => !told.has(path)),
  ];
  // Ajv's errors hold what they complain about, in clear.
  validate.errors = null;
  const config = concealed(copy, '', secrets);
  return { config: isPlainObject(config) ? config : {}, faults };
}
