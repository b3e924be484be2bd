import { SetupError } from '../../setup/setup-error.mjs';

/** The word that stands for a name that the configuration's writer chooses. */
export const anyName = 'NAME';

/** The schema that a `$ref` within the same document leads to, or the schema itself. */
export function follow(schema, document) {
  if (schema.$ref === undefined) return schema;
  const [base, ...steps] = schema.$ref.split('/');
  const target = base === '#' ? steps.reduce((at, step) => at?.[step], document) : undefined;
  if (target === undefined) throw new SetupError(`${schema.$ref} leads nowhere in ${document.title}`);
  const { $ref, ...beside } = schema;
  return { ...follow(target, document), ...beside };
}

/**
 * Every key that a schema admits, in order and at any depth, with its path as it is written in a table: `vms.NAME.slots`,
 * `plugins[]` for what stands in a list. What `stopAt` admits is told elsewhere: its own keys are left out.
 */
export function keysOf(schema, document, { stopAt = () => false } = {}) {
  return innerKeys(follow(schema, document), '', document, stopAt);
}

function innerKeys(schema, prefix, document, stopAt) {
  const keys = new Map();
  const variants = variantsOf(schema, document);
  const shapes = variants.filter(({ properties }) => properties !== undefined);
  for (const variant of variants) {
    for (const [name, property] of Object.entries(variant.properties ?? {})) {
      const required = shapes.every((shape) => shape.required?.includes(name) ?? false);
      for (const key of [own(name, property, required), ...below(name, property)]) if (!keys.has(key.path)) keys.set(key.path, key);
    }
    for (const key of mapKeys(variant)) keys.set(key.path, key);
  }
  return [...keys.values()];

  function own(name, property, required) {
    return { path: `${prefix}${name}`, schema: follow(property, document), required };
  }

  function below(name, property) {
    if (stopAt(property)) return [];
    return innerKeys(follow(property, document), `${prefix}${name}.`, document, stopAt);
  }

  function mapKeys(variant) {
    const at = prefix === '' ? '' : prefix.slice(0, -1);
    const { items, additionalProperties: others } = variant;
    if (items !== undefined) return stopAt(items) ? [] : innerKeys(follow(items, document), `${at}[].`, document, stopAt);
    if (typeof others !== 'object' || stopAt(others)) return [];
    return innerKeys(follow(others, document), `${prefix}${anyName}.`, document, stopAt);
  }
}

/** A schema that admits one of several shapes is looked at as each of them. */
export function variantsOf(schema, document) {
  const shapes = schema.anyOf ?? schema.oneOf;
  if (shapes === undefined) return [schema];
  const { anyOf, oneOf, ...common } = schema;
  const own = common.properties === undefined ? [] : [common];
  return [...own, ...shapes.flatMap((shape) => variantsOf(follow(shape, document), document))];
}
