import { blockSize, infoType } from '../protocol/constants.js';
import { encodeInfo, type InfoRequest } from '../protocol/options.js';
import type { ServedExport } from './served-export.js';

/** The bodies of NBD_REP_INFO: NBD_INFO_EXPORT is always told, the others when asked for. */
export function exportInfos(served: ServedExport, { types }: InfoRequest, structuredReplies: boolean): readonly Buffer[] {
  const wanted = new Set(types);
  const answers = [encodeInfo({ type: 'export', sizeBytes: served.sizeBytes, flags: served.flags(structuredReplies) })];
  if (wanted.has(infoType.name)) answers.push(encodeInfo({ type: 'name', text: served.id }));
  if (wanted.has(infoType.description)) answers.push(encodeInfo({ type: 'description', text: served.description }));
  if (wanted.has(infoType.blockSize)) answers.push(encodeInfo({ type: 'blockSize', ...blockSize }));
  return answers;
}
