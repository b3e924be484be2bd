import type { ChapCredentials } from '../contract/connection.js';
import { VbsError } from '../errors.js';
import { attachments } from '../metadata/attachments.js';
import { exportsTable } from '../metadata/exports.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import type { ChapSecrets } from './chap-secrets.js';
import type { Instances } from './instances.js';

export interface GivenCredentials {
  readonly exportId: string;
  readonly credentials: ChapCredentials;
}

/** What lets a node connect to an attachment's export. @throws NOT_FOUND, FAILED_PRECONDITION, UNSUPPORTED */
export async function attachmentCredentials(
  { store, instances, chap }: { readonly store: MetadataStore; readonly instances: Instances; readonly chap: ChapSecrets },
  attachmentId: string,
): Promise<GivenCredentials> {
  const attachment = await attachments.get(store.db, attachmentId);
  if (attachment === null)
    throw new VbsError('NOT_FOUND', `there is no attachment ${attachmentId}`, {
      resource: attachmentId,
      context: { field: 'attachmentId' },
    });
  const { exportId, state } = attachment;
  const exported = await exportsTable.get(store.db, exportId);
  if (state === 'detached' || exported === null)
    throw new VbsError('FAILED_PRECONDITION', `${attachmentId} is ${state}: its export is gone`, {
      resource: attachmentId,
      context: { state },
    });
  const exporter = instances.exporter(exported.exporter);
  if (!exporter.capabilities.has('chap'))
    throw new VbsError('UNSUPPORTED', `${exporter.name}, which exports the volume, asks for no password: it does not have chap`, {
      resource: attachmentId,
      context: { instance: exporter.name, capability: 'chap' },
    });
  return { exportId, credentials: chap.of(exportId) };
}
