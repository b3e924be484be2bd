import { schemas } from '@vbs/schemas';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { type ConfigurationFault } from './fault.js';
import { schemaFaults } from './schema-faults.js';

/** The newest version of the configuration's format that this core understands. */
export const configurationVersion = 1;

let validate: ValidateFunction | undefined;

/** Every way in which a value, as it was read, is no configuration. */
export function configurationSchemaFaults(value: unknown): readonly ConfigurationFault[] {
  validate ??= new Ajv2020({ allErrors: true, strict: true, verbose: true }).compile(schemas.configuration);
  return validate(value) ? [] : schemaFaults(validate.errors ?? [], { schema: schemas.configuration });
}
