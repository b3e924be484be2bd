import type { BlockDescriptor } from '../protocol/chunks.js';
import { encodeBlockStatusChunk } from '../protocol/chunks.js';
import { allocationState, commandFlag } from '../protocol/constants.js';
import type { Request } from '../protocol/requests.js';
import type { VolumeFile } from './volume-file.js';

/** One reply tells of so many extents at most; the client asks on from there. */
const mostExtents = 512;

/** The reply to NBD_CMD_BLOCK_STATUS: data and holes from the request's offset on. @throws what looking at the file throws. */
export async function blockStatus(file: VolumeFile, request: Request): Promise<Buffer> {
  const start = Number(request.offset);
  const end = start + request.length;
  const most = (request.flags & commandFlag.reqOne) === 0 ? mostExtents : 1;
  const extents: BlockDescriptor[] = [];
  for (let at = start; at < end && extents.length < most; ) {
    const { hole, length } = await file.extentAt(at);
    const inside = Math.min(length, end - at);
    extents.push({ length: inside, flags: hole ? allocationState.hole | allocationState.zero : 0 });
    at += inside;
  }
  return encodeBlockStatusChunk(request.handle, extents);
}
