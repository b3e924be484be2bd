import { VbsError } from '@vbs/core';
import type { WantedConnection } from './iscsi.js';
import type { ConnectedDisk } from './parts.js';

/** @throws FAILED_PRECONDITION: to end this connection would end another. */
export function requireAlone(all: readonly ConnectedDisk[], { connection, attachmentId }: WantedConnection): void {
  const other = all.find((disk) => disk.connection.iqn === connection.iqn && disk.connection.key !== connection.key);
  if (other === undefined) return;
  const message = `${other.connection.key} is connected by the same session, which these commands begin and end for all: export each volume by a target of its own.`;
  throw new VbsError('FAILED_PRECONDITION', message, { resource: attachmentId, context: { other: other.connection.key } });
}
