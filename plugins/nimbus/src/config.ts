import type { Schema } from '@vbs/core';

/** Where a resource-property document says what: XPath 1.0 expressions, evaluated as text. */
export interface DocumentsConfig {
  readonly directory: string;
  readonly namespaces?: Readonly<Record<string, string>>;
  readonly host: string;
  readonly state?: string;
}

/** The configuration of a Nimbus resolver, `config.schema.json` as a type. */
export interface NimbusConfig {
  readonly delimiter?: string;
  readonly idMap?: string;
  readonly vmNamePrefix?: string;
  readonly documents?: DocumentsConfig;
}

export const nimbusDefaults = {
  vmNamePrefix: 'wrksp-',
  namespaces: { l: 'http://www.globus.org/2008/06/workspace/metadata/logistics' },
} as const;

/** The same as the published `config.schema.json`: Node.js 20 imports JSON only as an experiment. */
export const nimbusConfigSchema: Schema<NimbusConfig> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Nimbus resolver',
  description: 'Resolves instances of a Nimbus cloud to their VMM host and Xen domain, by nimbus-admin or by WSRF resource properties.',
  type: 'object',
  additionalProperties: false,
  properties: {
    delimiter: {
      type: 'string',
      pattern: '^[^A-Za-z0-9\\s.,_-]$',
      description:
        'Lists in batch mode with this character between the fields, for a nimbus-admin that does not know --json. No letter, digit, white space, or character of host names.',
      examples: ['|'],
    },
    idMap: {
      type: 'string',
      pattern: '^/',
      description:
        "A file with an EC2-style id and a manager id on each line, as exported from the table instances of Nimbus's database. Without it, instances are given by manager id alone.",
      examples: ['/var/lib/vbs/nimbus-ids'],
    },
    vmNamePrefix: {
      type: 'string',
      pattern: '^[A-Za-z][A-Za-z0-9_.-]{0,31}$',
      default: nimbusDefaults.vmNamePrefix,
      description: "What stands before the manager id in the Xen domain's name.",
    },
    documents: {
      type: 'object',
      additionalProperties: false,
      required: ['directory', 'host'],
      description: 'Reads the WSRF resource-property document of an instance in place of asking nimbus-admin.',
      properties: {
        directory: {
          type: 'string',
          pattern: '^/',
          description: 'Where a document of each instance lies, `<manager id>.xml`.',
          examples: ['/var/lib/nimbus/properties'],
        },
        namespaces: {
          type: 'object',
          additionalProperties: { type: 'string', minLength: 1 },
          default: nimbusDefaults.namespaces,
          description: 'The prefixes that the paths below use, with their namespaces.',
          examples: [{ l: 'http://www.globus.org/2008/06/workspace/metadata/logistics' }],
        },
        host: {
          type: 'string',
          minLength: 1,
          description: "The XPath of the VMM host's name.",
          examples: ["//l:networking/l:nic/*[local-name()='vmmHost']"],
        },
        state: {
          type: 'string',
          minLength: 1,
          description: 'The XPath of the state. Without it, an instance whose document names a host runs.',
          examples: ["//*[local-name()='state']"],
        },
      },
    },
  },
};
