import { type ErrorCode, isVbsError, VbsError } from '@vbs/core';

/** What iscsiadm's exit codes mean (iscsiadm(8), open-iscsi 2.1.8). Every other stays unknown (INTERNAL). */
const exits: ReadonlyMap<number, readonly [code: ErrorCode, why: string]> = new Map([
  [4, ['UNAVAILABLE', 'the connection to the portal could not be made']],
  [5, ['UNAVAILABLE', 'the login failed']],
  [8, ['UNAVAILABLE', 'the portal refuses connections, or is not to be reached']],
  [11, ['UNAVAILABLE', 'the portal did not answer in time']],
  [12, ['FAILED_PRECONDITION', 'the kernel module iscsi_tcp is not there: modprobe iscsi_tcp']],
  [13, ['PERMISSION_DENIED', 'this user may not use iscsiadm: run VBS as root, or put "sudo -n" in front of the commands']],
  [18, ['UNAVAILABLE', 'iscsid was not understood: is it of the same version?']],
  [19, ['PERMISSION_DENIED', "the target is not there, or does not let this node's InitiatorName in"]],
  [20, ['UNAVAILABLE', 'iscsid does not run: systemctl enable --now iscsid']],
  [24, ['PERMISSION_DENIED', 'the target refuses the CHAP credentials']],
  [28, ['UNAVAILABLE', 'iscsid is busy']],
  [29, ['UNAVAILABLE', 'iscsid is busy']],
  [32, ['UNAVAILABLE', 'the session is not connected']],
  [33, ['UNAVAILABLE', 'iscsid did not answer in time']],
]);

/** A failed command with the code that tells most (safety A1: only what is known to have changed nothing gets a code that says so). */
export function mapIscsiError(error: unknown): VbsError {
  if (!isVbsError(error)) return new VbsError('INTERNAL', String(error), { cause: error });
  if (error.code !== 'INTERNAL') return error;
  const { exitCode, stderr, command } = error.context;
  const told = typeof stderr === 'string' ? stderr.trim().slice(-300) : '';
  const words = Array.isArray(command) ? command.map(String) : [];
  const mapped = (code: ErrorCode, why: string): VbsError =>
    new VbsError(code, `iSCSI: ${why} (${told}).`, { context: error.context, cause: error });
  const found = words.some((word) => /(^|\/)iscsiadm$/.test(word)) ? exits.get(Number(exitCode)) : undefined;
  if (found !== undefined) return mapped(...found);
  if (/Permission denied|a password is required/.test(told)) {
    return mapped('PERMISSION_DENIED', 'this user may not: run VBS as root, or put "sudo -n" in front of the commands');
  }
  return error;
}

/** What an act answers; undefined where what it reads is not there, or has gone while it was read. */
export async function unlessGone<T>(act: Promise<T>): Promise<T | undefined> {
  try {
    return await act;
  } catch (error) {
    if (isVbsError(error) && isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: VbsError): boolean {
  const { errno, stderr } = error.context;
  if (error.code === 'NOT_FOUND' || errno === 'ENODEV' || errno === 'ENXIO') return true;
  const told = `${typeof stderr === 'string' ? stderr : ''} ${error.cause instanceof Error ? error.cause.message : ''}`;
  return /No such (file|device)/.test(told);
}
