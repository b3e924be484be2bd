import type { Access, Schema } from '@vbs/core';
import type { ErrorRule } from '../rules/errors.js';
import type { OutputRule } from '../rules/output.js';
import { errorsSchema, outputSchema, runSchema } from '../rules/schemas.js';

/** One rule for slots: what it matches whole, and the slot's one name. */
export interface SlotRule {
  readonly match: string;
  /** The group `name` unless told, or else all of what was matched. */
  readonly name?: string;
}

/** The configuration of a hypervisor of patterns, `hypervisor.schema.json` as a type. */
export interface CommandHypervisorConfig {
  readonly identify?: OutputRule;
  readonly list?: OutputRule;
  readonly attach: string;
  readonly detach: string;
  readonly slots: readonly SlotRule[];
  readonly slotHelp?: string;
  readonly mode?: Readonly<Record<Access, string>>;
  readonly access?: Readonly<Record<string, Access>>;
  readonly state?: Readonly<Record<string, 'attached' | 'changing'>>;
  readonly hotplug?: boolean;
  readonly errors?: readonly ErrorRule[];
  readonly attachTimeoutSeconds?: number;
}

export const hypervisorDefaults = { hotplug: true, attachTimeoutSeconds: 10 } as const;

/** The same as the published `hypervisor.schema.json`: Node.js 20 imports JSON only as an experiment. */
export const hypervisorConfigSchema: Schema<CommandHypervisorConfig> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Hypervisor of command patterns',
  description: 'Puts block devices of a VMM node into its VMs by nothing but command patterns and rules for their output.',
  type: 'object',
  additionalProperties: false,
  required: ['attach', 'detach', 'slots'],
  properties: {
    identify: outputSchema(
      'Needed. Lists every VM of the node. Groups: vm, its durable name or number (needed); alias, another name of it, under which it may be asked for and listed; running, which matches something where it runs (a VM always runs where no line has the group).',
      { run: 'xl list', lines: ['^(?<vm>[^\\s\\d]\\S*) +(?<alias>\\d+) +\\d+ +\\d+\\s+(?<running>[rbp-]{3}---)\\s'] },
    ),
    list: outputSchema(
      'Needed. Lists the disks: of every VM, or of `<vmId>`, and is then run for each. Groups: vm or alias, whose it is (without `<vmId>`); slot (each line); source, the path that it was attached with; access and state. Lines of one slot make one disk.',
      { run: 'qm pending <vmId>', lines: ['^(?<state>cur|del) (?<slot>(scsi|virtio)\\d+): (?<source>/[^,\\s]+)'] },
    ),
    attach: {
      ...runSchema,
      description:
        'Puts a disk in. Values: `<vmId>`, `<vmmDev>` (the device on the node) and `<vmDev>` (the slot), which it must have; `<mode>` or `<access>`, `<serial>`, `<sizeBytes>`.',
      examples: ['xl block-attach <vmId> phy:<vmmDev> <vmDev> <mode>', 'qm set <vmId> -<vmDev> <vmmDev>'],
    },
    detach: {
      ...runSchema,
      description: 'Takes a disk out. Values: `<vmId>` and `<vmDev>`, which it must have; `<vmmDev>`.',
      examples: ['xl block-detach <vmId> <vmDev>', 'qm set <vmId> --delete <vmDev>'],
    },
    slots: {
      type: 'array',
      minItems: 1,
      maxItems: 200,
      description: 'The legal slots; the first rule that matches the whole of a name counts.',
      examples: [[{ match: '(/dev/)?(?<name>xvd[b-p])' }, { match: '51728', name: 'xvdb' }]],
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['match'],
        properties: {
          match: {
            type: 'string',
            minLength: 1,
            maxLength: 1000,
            description: 'A regular expression (JavaScript, flag u) for the whole of the name; its group name is the canonical one.',
            examples: ['(/dev/)?(?<name>xvd[b-p])'],
          },
          name: {
            type: 'string',
            pattern: '^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$',
            description: 'The canonical name, where it is no part of what is matched.',
            examples: ['xvdb'],
          },
        },
      },
    },
    slotHelp: {
      type: 'string',
      minLength: 1,
      maxLength: 300,
      description: 'Which slots are legal, for who asked for another; the expressions of the rules unless told.',
      examples: ['xvdb to xvdp, with or without /dev/'],
    },
    mode: {
      type: 'object',
      additionalProperties: false,
      required: ['read-write', 'read-only'],
      description: 'What `<mode>` is for each access.',
      examples: [{ 'read-write': 'w', 'read-only': 'r' }],
      properties: {
        'read-write': { type: 'string', minLength: 1, maxLength: 64, description: 'For reading and writing.', examples: ['w'] },
        'read-only': { type: 'string', minLength: 1, maxLength: 64, description: 'For reading alone.', examples: ['r'] },
      },
    },
    access: {
      type: 'object',
      additionalProperties: { enum: ['read-write', 'read-only'] },
      description: 'What the words of the group access mean; the word is empty where the group matched nothing.',
      examples: [{ w: 'read-write', r: 'read-only' }],
    },
    state: {
      type: 'object',
      additionalProperties: { enum: ['attached', 'changing'] },
      description: 'What the words of the group state mean. Other words mean changing: neither there nor gone.',
      examples: [{ '4': 'attached' }],
    },
    hotplug: {
      type: 'boolean',
      default: hypervisorDefaults.hotplug,
      description: 'Whether disks come and go while the VM runs; else only while it is stopped.',
    },
    errors: errorsSchema,
    attachTimeoutSeconds: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 20,
      default: hypervisorDefaults.attachTimeoutSeconds,
      description: 'How long a disk may take until it is listed as attached, in seconds, and one that was taken out until it is gone.',
    },
  },
};
