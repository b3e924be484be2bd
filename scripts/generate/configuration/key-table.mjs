import { SetupError } from '../../setup/setup-error.mjs';
import { code, sayType } from './say-type.mjs';
import { follow } from './schema-keys.mjs';

/**
 * The keys as a table. What a schema does not tell of a key (an example, a default that the core works out) is taken from `facts`,
 * by the key's path.
 * @throws Error: a key has no description, or nothing that serves as an example.
 */
export function keyTable(keys, document, facts = {}) {
  const rows = keys.map((key) => [
    code(key.path),
    sayType(key.schema, document),
    sayDefault(key, facts[key.path]),
    code(flow(exampleOf(key, document, facts))),
    descriptionOf(key, document, facts[key.path]),
  ]);
  return table(['key', 'takes', 'default', 'example', 'what it is'], rows);
}

/** A table of Markdown. */
export function table(head, rows) {
  const line = (cells) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

function cell(text) {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function sayDefault({ path, schema, required }, fact) {
  const parent = path.slice(0, Math.max(0, path.lastIndexOf('.')));
  if (required) return parent === '' ? '**required**' : `**required** in ${code(parent)}`;
  if (fact?.default !== undefined) return fact.default;
  return schema.default === undefined ? '–' : code(schema.default);
}

function exampleOf({ path, schema }, document, facts) {
  const { examples = [], default: value, const: only, enum: choices = [], required = [] } = schema;
  const derived = only ?? value ?? choices[0] ?? (schema.type === 'boolean' ? true : undefined);
  const known = facts[path]?.example ?? (examples.length > 0 ? examples[0] : derived);
  if (known !== undefined) return known;
  if (required.length > 0) {
    const inner = (name) => ({ path: `${path}.${name}`, schema: follow(schema.properties[name], document) });
    return Object.fromEntries(required.map((name) => [name, exampleOf(inner(name), document, facts)]));
  }
  throw new SetupError(
    `${document.title}: ${path} has no example; add "examples": […] to it in the schema, or a line to scripts/generate/configuration/facts.mjs`,
  );
}

/** In the short form of YAML, as it is written behind a key. */
function flow(value) {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? quoted(value) : String(value);
  const entries = Object.entries(value).map(([key, item]) => `${key}: ${flow(item)}`);
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}

function quoted(text) {
  return /^[\w./~@:-]*\w$/.test(text) && !/^[\d.]+$|^(true|false|null|yes|no|on|off)$|^@/.test(text) ? text : JSON.stringify(text);
}

function descriptionOf({ path, schema }, document, fact) {
  if (fact?.description !== undefined) return fact.description;
  if (schema.description === undefined) throw new SetupError(`${document.title}: ${path} has no description`);
  const together = Object.entries(schema.dependentRequired ?? {}).map(
    ([key, others]) => ` ${code(key)} goes with ${others.map(code).join(', ')}.`,
  );
  return `${schema.description}${together.join('')}`.replaceAll(/(?<!`)\{[^{}`]+\}(?!`)/g, (text) => `\`${text}\``);
}
