import { SetupError } from '../../setup/setup-error.mjs';
import { follow } from './schema-keys.mjs';

/** What has a section of its own on the page, by the schema's title: one of it, and several. */
const sections = {
  ConfigurationDatabase: { one: 'a [database](#database)' },
  ConfigurationMachine: { one: 'a [machine](#machines)' },
  ConfigurationVolumeServer: { one: 'a [volume server](#volume-servers)', many: '[volume servers](#volume-servers)' },
  ConfigurationVmmNode: { one: 'a [VMM node](#vmm-nodes)', many: '[VMM nodes](#vmm-nodes)' },
  ConfigurationInstance: { one: 'an [instance](#instances-of-plugins)', many: '[instances](#instances-of-plugins)' },
  ConfigurationCommandOverride: { one: 'a [pattern](#command-patterns)', many: '[patterns](#command-patterns)' },
  EnvironmentSecret: { one: 'a [secret](#secrets)' },
  FileSecret: { one: 'a [secret](#secrets)' },
};

/** What a schema admits, as a person says it: `a whole number, 0 to 65,535`. */
export function sayType(schema, document) {
  if (schema.writeOnly === true) return 'a [secret](#secrets)';
  const section = sections[schema.title];
  if (section !== undefined) return section.one;
  const shapes = schema.anyOf ?? schema.oneOf;
  if (shapes !== undefined && schema.properties === undefined)
    return joined([...new Set(shapes.map((shape) => sayType(follow(shape, document), document)))]);
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum !== undefined) return joined(schema.enum.map(code));
  const say = Array.isArray(schema.type) ? undefined : words[schema.type];
  if (say === undefined) throw new SetupError(`a schema of type ${schema.type} cannot be told in words: ${JSON.stringify(schema)}`);
  return say(schema, document);
}

export function code(value) {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

const words = {
  boolean: () => '`true` or `false`',
  string: sayString,
  integer: (schema) => `a whole number${sayRange(schema)}`,
  number: (schema) => `a number${sayRange(schema)}`,
  array: sayArray,
  object: sayObject,
};

function joined(parts) {
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} or ${parts.at(-1)}`;
}

function between(least, most) {
  const say = (number) => number.toLocaleString('en-US');
  if (least !== undefined && most !== undefined) return least === most ? say(least) : `${say(least)} to ${say(most)}`;
  if (least !== undefined) return `at least ${say(least)}`;
  return most === undefined ? undefined : `at most ${say(most)}`;
}

function sayRange({ minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf }) {
  const limits = [
    between(minimum, maximum),
    exclusiveMinimum === undefined ? undefined : `more than ${exclusiveMinimum}`,
    exclusiveMaximum === undefined ? undefined : `less than ${exclusiveMaximum}`,
    multipleOf === undefined ? undefined : `a multiple of ${multipleOf}`,
  ];
  return limits.map((limit) => (limit === undefined ? '' : `, ${limit}`)).join('');
}

/** `minLength: 1` alone is what everybody expects of a text. */
function sayString({ minLength, maxLength, pattern, format }) {
  const length = between(minLength === 1 && maxLength === undefined ? undefined : minLength, maxLength);
  return [
    'a text',
    ...(length === undefined ? [] : [`of ${length} characters`]),
    ...(format === undefined ? [] : [`that is a ${format}`]),
    ...(pattern === undefined ? [] : [`that matches ${code(pattern)}`]),
  ].join(' ');
}

function sayArray({ items, minItems, maxItems, uniqueItems }, document) {
  const count = between(minItems, maxItems);
  const of = items === undefined ? '' : ` of ${plural(sayType(follow(items, document), document))}`;
  return `a list${of}${count === undefined ? '' : `, ${count} of them`}${uniqueItems === true ? ', no two the same' : ''}`;
}

function plural(text) {
  return text.replace(/^a text\b/, 'texts').replace(/^a whole number\b/, 'whole numbers');
}

function sayObject({ additionalProperties: others, propertyNames, maxProperties }, document) {
  if (typeof others !== 'object') return 'keys of its own';
  const names = propertyNames === undefined ? undefined : sayName(follow(propertyNames, document));
  const most = maxProperties === undefined ? '' : `, at most ${maxProperties.toLocaleString('en-US')}`;
  const values = follow(others, document);
  const many = sections[values.title]?.many ?? (values.type === 'object' ? undefined : plural(sayType(values, document)));
  const of = many === undefined ? '' : ` of ${many}`;
  return `a map${of}, by name${names === undefined ? '' : ` (${names})`}${most}`;
}

function sayName(schema) {
  return schema.title === 'ConfigurationName' ? '[names](#names)' : sayString(schema).replace('a text', 'each a text');
}
