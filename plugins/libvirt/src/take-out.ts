import type { Call, VbsError } from '@vbs/core';
import { lookAgain, type Vm } from './look.js';
import { poll } from './poll.js';
import { type Held, heldIn, isOurs } from './refusals.js';
import type { Wanted } from './requests.js';
import type { Tools } from './tools.js';

/** What came of taking a disk out: how the last command failed, and where the disk still is. */
export interface TakenOut {
  readonly failure: VbsError | undefined;
  /** undefined: it is gone. `live`: the guest was asked and has not let go; the definition no longer names it. */
  readonly left: 'live' | 'config' | undefined;
}

/** A VM may be started or ended between a look and the command that it led to. */
const roundsAtMost = 3;

/**
 * Takes a disk that was seen to be this source's out of the definition, and asks the guest to let go of it: by the alias that marks it, so
 * that no other disk can be meant, even if the slot changes hands meanwhile. Looks what came of it: "sent successfully" decides nothing.
 *
 * A guest that was asked is not asked again soon: libvirt 9.0 crashes, or keeps the source open for ever, when the second request meets the
 * guest letting go. That a VM's definition no longer names a disk which its QEMU has tells that the guest was asked, by whomever.
 */
export async function takeOut(call: Call, tools: Tools, wanted: Wanted, seen: Vm): Promise<TakenOut> {
  let vm: Vm | undefined = seen;
  const waited = async (before: Held): Promise<Held> => {
    await poll(call, tools.settings.releaseTimeoutSeconds * 1000, async () => {
      vm = await lookAgain(call, tools, wanted);
      const now = ours(vm, wanted);
      // In the QEMU of a VM that was started meanwhile: nobody has asked its guest.
      const isNews = now.live !== undefined && before.live === undefined;
      return isNews || (now.live === undefined && now.config === undefined) ? true : undefined;
    });
    return ours(vm, wanted);
  };
  for (let round = 1; ; round++) {
    let before = ours(vm, wanted);
    if (wasAsked(vm, before)) {
      before = await waited(before);
      if (before.live === undefined && before.config === undefined) return { failure: undefined, left: undefined };
      if (wasAsked(vm, before) && tools.requests.isRecent(requestOf(wanted, before))) return { failure: undefined, left: 'live' };
    }
    const failure = await ask(call, tools, wanted, before);
    if (failure !== undefined) vm = await lookAgain(call, tools, wanted);
    const { live, config } = failure === undefined ? await waited(before) : ours(vm, wanted);
    const isOtherThanSeen = (live === undefined) !== (before.live === undefined);
    const left = config !== undefined ? 'config' : live !== undefined ? 'live' : undefined;
    if (left === undefined || !isOtherThanSeen || round === roundsAtMost || call.signal.aborted) return { failure, left };
  }
}

function wasAsked(vm: Vm | undefined, { live, config }: Held): boolean {
  return vm?.config !== undefined && live !== undefined && config === undefined;
}

function requestOf({ vm }: Wanted, { live }: Held): string {
  return `${vm} ${live?.alias}`;
}

function ours(vm: Vm | undefined, wanted: Wanted): Held {
  if (vm === undefined) return {};
  const { live, config } = heldIn(vm, wanted);
  return { ...(live && isOurs(live, wanted) ? { live } : {}), ...(config && isOurs(config, wanted) ? { config } : {}) };
}

async function ask(call: Call, tools: Tools, wanted: Wanted, held: Held): Promise<VbsError | undefined> {
  const { attachmentId, vm: vmId, slot } = wanted;
  const { live, config } = held;
  const alias = live?.alias;
  if (alias !== undefined) tools.requests.note(requestOf(wanted, held));
  if (alias !== undefined && alias === config?.alias) return await tools.change(call, attachmentId, 'detach', { vmId, alias });
  const failures: (VbsError | undefined)[] = [];
  if (config?.alias !== undefined) failures.push(await tools.change(call, attachmentId, 'detachConfig', { vmId, alias: config.alias }));
  else if (config !== undefined) failures.push(await tools.change(call, attachmentId, 'detachConfigTarget', { vmId, target: slot.name }));
  if (alias !== undefined) failures.push(await tools.change(call, attachmentId, 'detachLive', { vmId, alias }));
  return failures.find((failure) => failure !== undefined);
}
