import { type Call, toVbsError, VbsError } from '@vbs/core';
import { mapLibvirtError } from './map-error.js';
import { isUuid } from './names.js';
import { child, children, type Disk, type Domain, parseDomain, parseXml, textOf } from './parse-domain.js';
import type { Tools } from './tools.js';

/** A VM at one moment. `live`: what its QEMU has, while it runs. `config`: what it gets at its next start; a transient VM has none. */
export interface Vm {
  readonly key: string;
  readonly running: boolean;
  /** It is stopped, and goes on from a saved state at its next start: with the disks that it had then. */
  readonly saved: boolean;
  readonly hasScsi: boolean;
  readonly live?: readonly Disk[];
  readonly config?: readonly Disk[];
}

/** So many VMs are told by one virsh: what it is given is one argument. */
const vmsAtOnce = 100;
const lists =
  'echo <saved>; list --all --uuid --with-managed-save; echo </saved><persistent>; list --all --uuid --persistent; echo </persistent>';

/** Every VM of the node. @throws UNAVAILABLE: libvirt does not answer. */
export async function lookAtAll(call: Call, tools: Tools): Promise<readonly Vm[]> {
  const uuids = textOf(await ask(call, tools, 'list --all --uuid'))
    .split(/\s+/)
    .filter(isUuid);
  const vms: Vm[] = [];
  for (let at = 0; at < uuids.length; at += vmsAtOnce) vms.push(...(await lookAt(call, tools, uuids.slice(at, at + vmsAtOnce))));
  return vms;
}

/**
 * One VM, after every act on it that libvirt has begun: also one whose virsh was ended, and which libvirt goes on with. undefined: the node
 * has no such VM.
 */
export async function lookAtOne(call: Call, tools: Tools, key: string): Promise<Vm | undefined> {
  if (!isUuid(key)) return undefined;
  // libvirt does one thing with a VM at a time, and this asks its QEMU (query-block fails while a disk goes, this does not). A disk is told as
  // gone some time before its QEMU has closed it: hence once more, afterwards.
  const fence = `echo <fence>; iothreadinfo ${key}; echo </fence>`;
  return (await lookAt(call, tools, [key], fence))[0];
}

/** As `lookAtOne`, after something was changed: that it could not look is no word about what was done (safety A1). */
export async function lookAgain(
  call: Call,
  tools: Tools,
  { vm, attachmentId }: { readonly vm: string; readonly attachmentId: string },
): Promise<Vm | undefined> {
  try {
    return await lookAtOne(call, tools, vm);
  } catch (error) {
    const { message, context } = toVbsError(error);
    throw new VbsError('DEADLINE_EXCEEDED', `${attachmentId} may have been changed, and nobody could look: ${message}`, {
      resource: attachmentId,
      context,
      cause: error,
    });
  }
}

async function lookAt(call: Call, tools: Tools, uuids: readonly string[], fence?: string): Promise<readonly Vm[]> {
  const dumps = uuids.map((uuid) => `echo <vm><now>; dumpxml ${uuid}; echo </now><next>; dumpxml --inactive ${uuid}; echo </next></vm>`);
  const fences = fence === undefined ? [] : [fence];
  const root = await ask(call, tools, [...fences, lists, ...dumps, ...fences].join('; '));
  const named = (list: string): ReadonlySet<string> => new Set(textOf(child(root, list)).split(/\s+/));
  const [saved, persistent] = [named('saved'), named('persistent')];
  const domainIn = (vm: ReturnType<typeof children>[number], when: string): Domain | undefined => {
    const domain = child(child(vm, when), 'domain');
    return domain === undefined ? undefined : parseDomain(domain);
  };
  return children(root, 'vm').flatMap((vm): readonly Vm[] => {
    const [now, next] = [domainIn(vm, 'now'), domainIn(vm, 'next')];
    // It has gone meanwhile.
    if (now === undefined || next === undefined) return [];
    const running = now.id !== undefined;
    return [
      {
        key: now.uuid,
        running,
        saved: saved.has(now.uuid),
        hasScsi: now.hasScsi,
        ...(running ? { live: now.disks } : {}),
        ...(running && !persistent.has(now.uuid) ? {} : { config: next.disks }),
      },
    ];
  });
}

/** That a VM has gone meanwhile, or does not run, is an answer; everything else that virsh complains of is not. */
const answers =
  /^error: (failed to get domain '[0-9a-f-]{36}'|Domain not found.*|Requested operation is not valid: domain is not running)$/;

async function ask(call: Call, tools: Tools, script: string): Promise<ReturnType<typeof parseXml>> {
  const { stdout, stderr } = await tools.read(call, 'look', { script: `echo <look>; ${script}; echo </look>` });
  const complaints = stderr.split('\n').filter((line) => line.trim() !== '' && !answers.test(line));
  // virsh goes on after a failure, and its exit code is the last command's.
  if (complaints.some((line) => line.startsWith('error: '))) {
    throw mapLibvirtError(
      new VbsError('INTERNAL', `virsh could not look: ${complaints.join('; ').slice(0, 300)}`, {
        context: { stderr: complaints.join('\n') },
      }),
    );
  }
  return parseXml(stdout);
}
