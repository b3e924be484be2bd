import { type Call, toVbsError } from '@vbs/core';
import { parseInitiatorName } from './initiator-name.js';
import type { Tools } from './tools.js';

/** iscsid listens there, or systemd in its place, which starts it (iscsid.socket). */
const iscsidSocket = '@ISCSIADM_ABSTRACT_NAMESPACE';

const transport = '/sys/class/iscsi_transport/tcp';
const unixSockets = '/proc/net/unix';

/** What a node lacks, a sentence each. */
export async function checkNode(call: Call, tools: Tools): Promise<readonly string[]> {
  const { machine, settings } = tools;
  const faults: string[] = [];
  try {
    parseInitiatorName(await tools.readFile(call, settings.initiatorNameFile), settings.initiatorNameFile);
  } catch (error) {
    faults.push(toVbsError(error).message);
  }
  const seen = await machine.look(call, [transport, unixSockets]);
  if (!seen.has(transport)) {
    faults.push('The kernel module iscsi_tcp is not loaded: modprobe iscsi_tcp, and write it into /etc/modules-load.d.');
  }
  const sockets = seen.text(unixSockets) ?? '';
  if (!sockets.split('\n').some((line) => line.trimEnd().endsWith(iscsidSocket))) {
    faults.push('iscsid does not run: systemctl enable --now iscsid (Debian: package open-iscsi).');
  }
  return faults;
}
