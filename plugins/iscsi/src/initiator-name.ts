import { VbsError } from '@vbs/core';

/**
 * The InitiatorName of open-iscsi's file (iscsid(8)): the last line that sets it counts.
 * @throws FAILED_PRECONDITION: there is none, as on a Debian where the name is still to be drawn (`GenerateName=yes`).
 */
export function parseInitiatorName(text: string, path: string): string {
  const names = [...text.matchAll(/^\s*InitiatorName\s*=\s*(\S+)\s*$/gm)].map(([, name = '']) => name);
  const name = names.at(-1);
  if (name !== undefined && /^(iqn|eui|naa)\./.test(name)) return name;
  const why = name === undefined ? 'sets no InitiatorName' : `sets the InitiatorName ${JSON.stringify(name.slice(0, 80))}, which is none`;
  const advice = 'Write "InitiatorName=" and the output of iscsi-iname into it, another name on each node, and restart iscsid.';
  throw new VbsError('FAILED_PRECONDITION', `${path} ${why}. ${advice}`, { context: { path } });
}
