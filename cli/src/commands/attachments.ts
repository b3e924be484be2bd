import { failure } from '../client/failure.js';
import type { ArgumentSpec, CommandSpec } from '../command-spec.js';
import type { Invocation } from '../invocation.js';
import { describe, describeOptions, given } from './describe.js';
import { operate, operateOptions } from './operate.js';
import { requireId } from './parse.js';
import { volumeArgument } from './volumes.js';

const group = 'Attachments';
const attachmentArgument: ArgumentSpec = { name: 'attachment-id', text: 'Only these attachments.', completes: 'attachments' };

/** Where the disk shall be: `<VMM host> <VM id> <VM device>`, or with --instance `<VM device>`. */
function target(invocation: Invocation) {
  const places = invocation.rest(1);
  const instanceId = invocation.text('instance');
  const [first = '', vmId = '', device = ''] = places;
  if (instanceId !== undefined) {
    if (places.length === 1) return { instanceId, device: first };
    throw wrong('--instance says where the virtual machine is: give the volume and the device alone', 'instance');
  }
  if (places.length === 3) return { vmmHost: first, vmId, device };
  throw wrong('where the disk shall be takes three arguments, <vmm-host> <vm-id> <vm-device>, or --instance ID and <vm-device>', 'device');
}

function wrong(message: string, field: string) {
  return failure('INVALID_ARGUMENT', message, { context: { field } });
}

const attachVolume: CommandSpec = {
  name: 'attach-volume',
  group,
  summary: 'Bring a volume into a virtual machine, as a disk',
  description: [
    'Attaches a volume to a virtual machine, which is named by its VMM host and its id there, or by the instance of a cloud that knows its place.',
    'A volume that is attached for writing takes no other attachment. With --read-only the guest cannot write, and some exporters let several guests share the volume.',
    'Where what serves the volume lives in the process that made it (the NBD exporter in its own process, the sandbox), the attachment needs a running server: the command refuses to make one that would end with the command itself.',
  ],
  synopsis: ['[options] <volume-id> <vmm-host> <vm-id> <vm-device>', '[options] <volume-id> <vm-device> --instance <id>'],
  arguments: [
    volumeArgument,
    {
      name: 'place',
      text: 'The VMM host, the virtual machine as its hypervisor names it, and the device in it, such as /dev/xvdb; with --instance the device alone.',
      variadic: true,
      completes: 'vmmHosts',
    },
  ],
  options: [
    { flags: '--instance <id>', text: "A cloud's instance, in place of the VMM host and the virtual machine." },
    { flags: '--read-only', text: 'The virtual machine can read, and not write.' },
    ...operateOptions,
  ],
  examples: [
    { line: 'vbs attach-volume vol-0123456789abcdef0 sandbox vm1 /dev/xvdb', text: 'A disk of vm1 on the VMM host sandbox.' },
    { line: 'vbs attach-volume vol-0123456789abcdef0 /dev/xvdb --instance i-4711', text: 'A disk of an instance of a cloud.' },
  ],
  seeAlso: ['detach-volume', 'describe-attachments', 'routes', 'serve'],
  run: async (invocation, context) => {
    const volumeId = requireId('volume', invocation.argument(0), 'volumeId');
    const access = invocation.flag('readOnly') ? ('read-only' as const) : undefined;
    const request = { volumeId, ...target(invocation), ...given('access', access) };
    return operate(invocation, context, 'attachVolume', request, { kind: 'attachments' });
  },
};

const detachVolume: CommandSpec = {
  name: 'detach-volume',
  group,
  summary: 'Take a volume out of its virtual machine',
  description: [
    'Detaches a volume. A guest that still uses the disk holds it: the command is then refused (guest-busy), and where the request cannot be taken back, the detach is completed when the guest lets go.',
    'With --force the node is shut out first, and proved to be gone, which needs an exporter that can (fence). Where it cannot, --node-is-dead says that somebody has made sure that nothing on that node runs any more; that is recorded. If it is not true, the guest goes on writing to a volume that others may use.',
  ],
  arguments: [volumeArgument],
  options: [
    { flags: '--attachment <id>', text: 'Which attachment, when the volume has several.', completes: 'attachments' },
    { flags: '--force', text: 'Do not wait for the guest: shut the node out.' },
    { flags: '--node-is-dead', text: 'With --force: nothing on the node runs any more, you have made sure.' },
    ...operateOptions,
  ],
  examples: [
    { line: 'vbs detach-volume vol-0123456789abcdef0', text: 'After the file system was unmounted in the guest.' },
    { line: 'vbs detach-volume vol-0123456789abcdef0 --force --node-is-dead', text: 'The node was switched off.' },
  ],
  seeAlso: ['attach-volume', 'describe-attachments', 'reset-state'],
  run: async (invocation, context) => {
    const volumeId = requireId('volume', invocation.argument(0), 'volumeId');
    const attachmentId = invocation.text('attachment');
    if (invocation.flag('nodeIsDead') && !invocation.flag('force')) throw wrong('--node-is-dead goes with --force', 'nodeIsDead');
    const request = {
      volumeId,
      ...given('attachmentId', attachmentId === undefined ? undefined : requireId('attachment', attachmentId, 'attachmentId')),
      ...given('force', invocation.flag('force') || undefined),
      ...given('nodeIsDead', invocation.flag('nodeIsDead') || undefined),
    };
    return operate(invocation, context, 'detachVolume', request, { kind: 'attachments' });
  },
};

const describeAttachments: CommandSpec = {
  name: 'describe-attachments',
  group,
  summary: 'List attachments, or describe some',
  description: ['Lists attachments, oldest first, ended ones among them until their volume is deleted. With ids, exactly these.'],
  arguments: [{ ...attachmentArgument, optional: true, variadic: true }],
  options: [
    { flags: '--volume <id>', text: 'Only those of this volume.', completes: 'volumes' },
    ...describeOptions(['attaching', 'attached', 'detaching', 'detached']),
  ],
  examples: [{ line: 'vbs describe-attachments --state attached', text: 'What is in use now.' }],
  seeAlso: ['attach-volume', 'detach-volume', 'describe-volumes'],
  run: (invocation, context) => {
    const volumeId = invocation.text('volume');
    const more = given('volumeId', volumeId === undefined ? undefined : requireId('volume', volumeId, 'volume'));
    return describe(invocation, context, 'attachments', { idKind: 'attachment', more });
  },
};

export const attachmentCommands: readonly CommandSpec[] = [attachVolume, detachVolume, describeAttachments];
