import type { ArgumentSpec, CommandSpec } from '../command-spec.js';
import { describe, describeOptions, given } from './describe.js';
import { operate, operateOptions } from './operate.js';
import { requireId } from './parse.js';

export const volumeArgument: ArgumentSpec = { name: 'volume-id', text: 'The volume: vol- and 17 hex digits.', completes: 'volumes' };
const group = 'Volumes';
const states = ['pending', 'available', 'attaching', 'in-use', 'detaching', 'deleting', 'error'];

const createVolume: CommandSpec = {
  name: 'create-volume',
  group,
  summary: 'Make a volume, empty or from a snapshot',
  description: [
    'Makes a block volume that outlives the virtual machines it is attached to. An empty one reads zeros everywhere. One from a snapshot has the content of the snapshot; it may be larger, never smaller, and lies where the snapshot lies.',
    'The command waits until the volume is available; how far a copy is shows on standard error when that is a terminal.',
  ],
  arguments: [
    { name: 'size', text: 'Bytes, or a number and a unit: 64MiB, 5GiB, 1.5TB. It is rounded up to what the backend can do.' },
    { name: 'comment', text: 'Kept with the volume; at most 1,024 bytes, no control characters.', optional: true },
    { name: 'snapshot-id', text: 'The snapshot that it gets its content from.', optional: true, completes: 'snapshots' },
  ],
  options: [
    {
      flags: '--backend <name>',
      text: 'Where it shall lie, as in vs1/fast; `vbs pools` lists them.',
      usually: 'the default backend',
      completes: 'backends',
    },
    ...operateOptions,
  ],
  examples: [
    { line: 'vbs create-volume 5GiB', text: 'An empty volume.' },
    { line: "vbs create-volume 10GiB 'the copy of monday' snap-0123456789abcdef0", text: 'A larger volume from a snapshot.' },
    { line: "vbs create-volume 10GiB '' snap-0123456789abcdef0 --no-wait", text: 'No comment; the copying goes on by itself.' },
  ],
  seeAlso: ['describe-volumes', 'attach-volume', 'create-snapshot', 'pools'],
  run: async (invocation, context) => {
    const snapshotId = invocation.optional(2);
    const request = {
      size: invocation.argument(0),
      ...given('comment', invocation.optional(1) || undefined),
      ...given('snapshotId', snapshotId === undefined ? undefined : requireId('snapshot', snapshotId, 'snapshotId')),
      ...given('backend', invocation.text('backend')),
    };
    return operate(invocation, context, 'createVolume', request, { kind: 'volumes' });
  },
};

const deleteVolume: CommandSpec = {
  name: 'delete-volume',
  group,
  summary: 'Delete a volume and its bytes',
  description: [
    'Deletes a volume for good. It is refused while the volume is attached, and while snapshots need it; the message names what is in the way. A volume in error can be deleted too.',
  ],
  arguments: [volumeArgument],
  options: operateOptions,
  examples: [{ line: 'vbs delete-volume vol-0123456789abcdef0', text: 'Deletes it, and says so when it is gone.' }],
  seeAlso: ['describe-volumes', 'detach-volume', 'delete-snapshot'],
  run: async (invocation, context) => {
    const volumeId = requireId('volume', invocation.argument(0), 'volumeId');
    return operate(invocation, context, 'deleteVolume', { volumeId }, { gone: volumeId });
  },
};

const describeVolumes: CommandSpec = {
  name: 'describe-volumes',
  group,
  summary: 'List volumes, or describe some',
  description: [
    'Lists volumes, oldest first, with their states and where they are attached. With ids, exactly these, all of which must exist.',
  ],
  arguments: [{ ...volumeArgument, text: 'Only these volumes.', optional: true, variadic: true }],
  options: describeOptions(states),
  examples: [
    { line: 'vbs describe-volumes --state available --all', text: 'Every volume that could be attached.' },
    { line: 'vbs describe-volumes --quiet | head -1', text: 'The id of the oldest.' },
    { line: 'vbs describe-volumes --output json', text: 'The same as GET /v1/volumes answers.' },
  ],
  seeAlso: ['create-volume', 'describe-snapshots', 'describe-attachments'],
  run: (invocation, context) => describe(invocation, context, 'volumes', { idKind: 'volume' }),
};

const extendVolume: CommandSpec = {
  name: 'extend-volume',
  group,
  summary: 'Make a volume larger, also while it is attached',
  description: [
    'Makes a volume larger; what is added reads zeros. A volume never shrinks. Where it is attached, the command ends when the guest was seen to have the new size.',
  ],
  arguments: [volumeArgument, { name: 'size', text: 'The new size, in all: bytes, or a number and a unit.' }],
  options: operateOptions,
  examples: [{ line: 'vbs extend-volume vol-0123456789abcdef0 20GiB', text: 'The volume has 20 GiB afterwards.' }],
  seeAlso: ['describe-volumes', 'attach-volume'],
  run: async (invocation, context) => {
    const volumeId = requireId('volume', invocation.argument(0), 'volumeId');
    return operate(invocation, context, 'extendVolume', { volumeId, size: invocation.argument(1) }, { kind: 'volumes', id: volumeId });
  },
};

const resetState: CommandSpec = {
  name: 'reset-state',
  group,
  summary: 'Bring a volume out of error, once nothing of it is left outside',
  description: [
    'Brings a volume out of the state error. It changes nothing outside: it looks whether the pool has the volume, and whether an export, a connection or a disk of it is left, and refuses if so, naming what is still to be done.',
    'A volume that was never whole, or whose deletion was abandoned, can only be deleted.',
  ],
  arguments: [volumeArgument],
  options: operateOptions,
  examples: [{ line: 'vbs reset-state vol-0123456789abcdef0', text: 'The volume is available, or what is in the way is named.' }],
  seeAlso: ['operations', 'detach-volume', 'delete-volume'],
  run: async (invocation, context) => {
    const volumeId = requireId('volume', invocation.argument(0), 'volumeId');
    return operate(invocation, context, 'resetState', { volumeId }, { kind: 'volumes', id: volumeId });
  },
};

export const volumeCommands: readonly CommandSpec[] = [createVolume, deleteVolume, describeVolumes, extendVolume, resetState];
