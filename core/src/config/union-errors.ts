import type { ErrorObject } from 'ajv';
import { isPlainObject } from './plain-data.js';

const isUnion = (error: ErrorObject): boolean => error.keyword === 'anyOf' || error.keyword === 'oneOf';
const isUnder = (path: string, top: string): boolean => path === top || path.startsWith(`${top}/`);

/** What a local `$ref` leads to; anything else is itself. */
function dereferenced(schema: unknown, root: unknown): unknown {
  if (!isPlainObject(schema) || typeof schema.$ref !== 'string' || !schema.$ref.startsWith('#/')) return schema;
  const names = schema.$ref.slice(2).split('/');
  return names.reduce<unknown>((at, name) => {
    const key = decodeURIComponent(name).replaceAll('~1', '/').replaceAll('~0', '~');
    return isPlainObject(at) ? at[key] : undefined;
  }, root);
}

/** Every schema object in a schema, through its local `$ref`s. */
function schemasIn(schema: unknown, root: unknown, found = new Set<unknown>()): ReadonlySet<unknown> {
  const target = dereferenced(schema, root);
  if (typeof target !== 'object' || target === null || found.has(target)) return found;
  found.add(schema).add(target);
  for (const part of Object.values(target)) schemasIn(part, root, found);
  return found;
}

/** The alternatives of a union's error, with their `$ref`s resolved. */
export function alternativesOf(union: ErrorObject, root: unknown): readonly unknown[] {
  const branches: unknown = union.parentSchema?.[union.keyword];
  return Array.isArray(branches) ? branches.map((branch: unknown) => dereferenced(branch, root)) : [];
}

/** What each branch said. Ajv's schema paths do not tell the branch when it is a `$ref`; the schema that spoke does. */
function branchErrors(before: readonly ErrorObject[], union: ErrorObject, root: unknown): ErrorObject[][] {
  const inside = before.filter((error) => isUnder(error.instancePath, union.instancePath));
  return alternativesOf(union, root).map((branch) => {
    const own = schemasIn(branch, root);
    return inside.filter((error) => own.has(error.parentSchema));
  });
}

/** The branch was not meant: the value is of another kind, or the key that tells the branches apart says another. */
function isOtherKind(error: ErrorObject, union: ErrorObject): boolean {
  const below = error.instancePath.slice(union.instancePath.length).split('/').length - 1;
  return below === 0 ? ['type', 'const', 'enum'].includes(error.keyword) : below === 1 && error.keyword === 'const';
}

/** The one error of a union whose branches are told apart by a key, when the key fits none of them. */
function wrongDiscriminator(branches: readonly (readonly ErrorObject[])[], union: ErrorObject): ErrorObject | undefined {
  const constants = branches.map((errors) =>
    errors.find((error) => error.keyword === 'const' && error.instancePath !== union.instancePath),
  );
  const [first] = constants;
  if (first === undefined || constants.some((error) => error?.instancePath !== first.instancePath)) return undefined;
  return { ...first, keyword: 'enum', params: { allowedValues: constants.map((error): unknown => error?.params.allowedValue) } };
}

function replacement(branches: readonly (readonly ErrorObject[])[], union: ErrorObject): readonly ErrorObject[] {
  const meant = branches.filter((errors) => !errors.some((error) => isOtherKind(error, union)));
  const best = meant.reduce<readonly ErrorObject[] | undefined>(
    (least, errors) => (least === undefined || errors.length < least.length ? errors : least),
    undefined,
  );
  return best ?? [wrongDiscriminator(branches, union) ?? union];
}

/**
 * In place of everything that all branches of a union said, what the branch says that was meant; without one, that none fits.
 * Needs Ajv's `verbose`.
 */
export function withoutUnionNoise(errors: readonly ErrorObject[], root: unknown): readonly ErrorObject[] {
  let kept = [...errors];
  for (const union of errors.filter(isUnion)) {
    // Ajv tells of a union after its branches.
    const at = kept.indexOf(union);
    if (at < 0) continue;
    const branches = branchErrors(kept.slice(0, at), union, root);
    if (branches.length === 0 || branches.some((said) => said.length === 0)) continue;
    const noise = new Set(branches.flat());
    const before = kept.slice(0, at).filter((error) => !noise.has(error));
    kept = [...before, ...replacement(branches, union), ...kept.slice(at + 1)];
  }
  return kept;
}
