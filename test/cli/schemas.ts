import { type JsonSchema, schemas } from '@vbs/schemas';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const ajv = new Ajv2020({ allErrors: true, strict: false });
addFormats.default(ajv);
for (const schema of Object.values(schemas)) ajv.addSchema(schema);

/** What is wrong with a value by one of the published schemas; nothing when it fits. */
export function faultsOf(schema: JsonSchema, value: unknown): readonly string[] {
  const validate = ajv.getSchema(schema.$id);
  if (validate === undefined) throw new Error(`there is no schema ${schema.$id}`);
  return validate(value) === true ? [] : (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}
