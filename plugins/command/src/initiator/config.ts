import type { Schema } from '@vbs/core';
import type { ErrorRule } from '../rules/errors.js';
import type { OutputRule } from '../rules/output.js';
import { errorsSchema, outputSchema, stepsSchema } from '../rules/schemas.js';

/** One command of several that bring or end a connection. */
export interface Step {
  readonly run: string;
  readonly input?: string;
  readonly okExits?: readonly number[];
  readonly when?: 'chap';
}

/** The configuration of an initiator of patterns, `initiator.schema.json` as a type. */
export interface CommandInitiatorConfig {
  readonly identity: OutputRule;
  readonly list?: OutputRule;
  readonly device: string;
  readonly size?: string;
  readonly readOnly?: string;
  readonly serial?: { readonly path: string; readonly match: string };
  readonly connect: readonly Step[];
  readonly disconnect: readonly Step[];
  readonly holders?: readonly OutputRule[];
  readonly extend?: readonly Step[];
  readonly errors?: readonly ErrorRule[];
  readonly deviceTimeoutSeconds?: number;
}

export const initiatorDefaults = { deviceTimeoutSeconds: 10 } as const;

const path = { type: 'string', pattern: '^/', maxLength: 1000 } as const;
const holderRule = outputSchema('One command.', {
  run: 'lsblk --noheadings --raw --output MOUNTPOINTS /dev/<disk>',
  lines: ['^(?<holder>\\S+)$'],
});

/** The same as the published `initiator.schema.json`: Node.js 20 imports JSON only as an experiment. */
export const initiatorConfigSchema: Schema<CommandInitiatorConfig> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Initiator of command patterns',
  description: 'Brings iSCSI exports to block devices of a VMM node by nothing but command patterns and rules for their output.',
  type: 'object',
  additionalProperties: false,
  required: ['identity', 'device', 'connect', 'disconnect'],
  properties: {
    identity: outputSchema('Tells the names under which this node connects. Group: name (each line).', {
      run: 'cat /etc/iscsi/initiatorname.iscsi',
      lines: ['^InitiatorName=(?<name>\\S+)$'],
    }),
    list: outputSchema(
      "Needed. Lists every connected disk. Groups, which each line needs: disk, the kernel's name of it (sda), and the connection: address, port, iqn and lun.",
      {
        run: 'find /dev/disk/by-path -type l -printf %p|%l\\n',
        lines: ['^/dev/disk/by-path/ip-(?<address>\\S+):(?<port>\\d+)-iscsi-(?<iqn>\\S+)-lun-(?<lun>\\d+)\\|../../(?<disk>\\w+)$'],
      },
    ),
    device: {
      ...path,
      description: 'The path of a connected disk that means the same volume after a reboot, with values of its connection.',
      examples: ['/dev/disk/by-path/ip-<address>:<port>-iscsi-<iqn>-lun-<lun>'],
    },
    size: {
      ...path,
      description: "Needed. The file that tells a disk's size in units of 512 bytes.",
      examples: ['/sys/block/<disk>/size'],
    },
    readOnly: {
      ...path,
      description: 'The file that holds 1 where a disk takes no writes. Not compared unless told.',
      examples: ['/sys/block/<disk>/ro'],
    },
    serial: {
      type: 'object',
      additionalProperties: false,
      required: ['path', 'match'],
      description: "Needed. The file that holds a disk's serial.",
      examples: [{ path: '/sys/block/<disk>/device/vpd_pg80', match: '(?<serial>vol[0-9a-f]{17})' }],
      properties: {
        path: { ...path, description: 'The file.', examples: ['/sys/block/<disk>/device/vpd_pg80'] },
        match: {
          type: 'string',
          minLength: 1,
          maxLength: 1000,
          description: 'A regular expression (JavaScript, flag u) with the group serial, for a line of the file.',
          examples: ['(?<serial>vol[0-9a-f]{17})'],
        },
      },
    },
    connect: stepsSchema(
      'The commands that connect, in this order. Values: portal, address, port, iqn and lun, chapUser and chapPassword.',
      'iscsiadm -m node -T <iqn> -p <portal> --login',
      { when: { const: 'chap', description: 'Run only where the connection has CHAP credentials.', examples: ['chap'] } },
    ),
    disconnect: stepsSchema(
      'The commands that flush and disconnect, in this order. Values as for connect, without CHAP, and disk and device; a command with one of these two is run only while the disk is listed. All must bear being repeated.',
      'iscsiadm -m node -T <iqn> -p <portal> --logout',
    ),
    holders: {
      type: 'array',
      minItems: 1,
      maxItems: 10,
      items: holderRule,
      description: 'Needed. The commands that tell who holds a disk. Values: disk and device. Group: holder (each line).',
      examples: [[{ run: 'lsblk --noheadings --raw --output MOUNTPOINTS /dev/<disk>', lines: ['^(?<holder>\\S+)$'] }]],
    },
    extend: stepsSchema(
      "The commands that make the kernel see a disk's new size. Values as for disconnect. The capability extend is there where this is.",
      'tee /sys/block/<disk>/device/rescan',
    ),
    errors: errorsSchema,
    deviceTimeoutSeconds: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 20,
      default: initiatorDefaults.deviceTimeoutSeconds,
      description: 'How long a disk may take to appear, to go, and to show a new size, in seconds.',
    },
  },
};
