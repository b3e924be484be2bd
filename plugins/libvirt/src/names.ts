import { createHash } from 'node:crypto';

const prefix = 'iqn.2009-11.edu.iu.vbs';

/** The mark on an attachment's disk: libvirt keeps aliases of users that begin so, live and in the definition. */
export function aliasOf(attachmentId: string): string {
  return `ua-${attachmentId}`;
}

/** The libvirt secret of an attachment: always the same UUID (version 8, RFC 9562) for the same attachment. */
export function secretOf(attachmentId: string): string {
  const hex = createHash('sha256').update(`vbs libvirt secret ${attachmentId}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** The name under which a node's guests log in where the configuration gives none: another for each store and instance. */
export function derivedInitiatorName(storeId: string, instance: string): string {
  const plain = instance
    .toLowerCase()
    .replace(/[^a-z0-9.-]+/g, '-')
    .slice(0, 60);
  const digest = createHash('sha256').update(instance).digest('hex').slice(0, 8);
  return `${prefix}:${storeId.slice(0, 8)}:${plain}-${digest}`;
}

/** A UUID as libvirt writes it; only by it does VBS name a VM to virsh. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}
