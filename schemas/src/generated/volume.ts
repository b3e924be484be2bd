// Generated from schemas/volume.schema.json by npm run generate: change that, not this.
import type { Attachment } from './attachment.js';
import type { Progress } from './progress.js';

/**
 * A block volume, which outlives the virtual machines that it is attached to.
 */
export interface Volume {
  /**
   * vol- and 17 hex digits.
   */
  id: string;
  /**
   * What the volume is doing; only an available volume can be attached or deleted.
   */
  state: 'pending' | 'available' | 'attaching' | 'in-use' | 'detaching' | 'deleting' | 'error';
  /**
   * Why it is in this state, where that needs saying.
   */
  reason?: string | null;
  /**
   * The size that a guest sees, in bytes.
   */
  sizeBytes: number;
  /**
   * The size that was asked for, in bytes, before it was rounded up to what the backend can do.
   */
  requestedBytes: number;
  /**
   * What the caller wrote when it was made.
   */
  comment: string | null;
  /**
   * The snapshot that it was made from.
   */
  snapshotId: string | null;
  /**
   * Where it lies: the volume server's and the backend's name, as in vs1/fast.
   */
  backend: string;
  /**
   * When it was asked for (RFC 3339).
   */
  createdAt: string;
  /**
   * Its attachments that are not detached.
   */
  attachments: Attachment[];
  /**
   * How far it is filled from its snapshot; absent or null when nothing is being filled.
   */
  progress?: Progress | null;
}
