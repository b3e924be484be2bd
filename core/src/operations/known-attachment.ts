import type { Knex } from 'knex';
import type { AttachmentRecord } from '../metadata/attachments.js';
import { exportsTable } from '../metadata/exports.js';
import type { VolumeRecord } from '../metadata/volumes.js';
import type { KnownAttachment } from './attachment-steps.js';

/** An attachment as its steps need it, from what the metadata keeps. */
export async function knownAttachment(db: Knex, volume: VolumeRecord, attachment: AttachmentRecord): Promise<KnownAttachment> {
  const exported = await exportsTable.get(db, attachment.exportId);
  if (exported === null || volume.locator === null) throw new TypeError(`${attachment.id} has no export or locator`);
  const { id: attachmentId, node, initiator, vmKey, slot, access, source, bootId } = attachment;
  const { id: exportId, exporter, initiators, address, connection } = exported;
  return {
    path: {
      attachmentId,
      volume: { id: volume.id, sizeBytes: volume.sizeBytes, locator: volume.locator },
      exportId,
      exporter,
      access,
      initiators,
      address,
      node,
      initiator,
      vmKey,
      slot,
    },
    connection,
    source,
    bootId,
  };
}
