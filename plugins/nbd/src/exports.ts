import type { Call, ConnectionInfo, ExportRequest, TargetExport } from '@vbs/core';

/** What is served, and all that can be done to it; in this process, or in a daemon that is spoken to. */
export interface Exports {
  /**
   * Answers what is there already, when it is the same.
   * @throws FAILED_PRECONDITION: access to this export was revoked, or its file is smaller than the volume.
   * @throws INVALID_ARGUMENT: the locator is no regular file, or the id cannot be a name. ALREADY_EXISTS, NOT_FOUND, PERMISSION_DENIED.
   */
  create(call: Call, request: ExportRequest<'file'>): Promise<ConnectionInfo<'nbd'>>;
  /** Makes what is missing, and leaves untouched what is there. */
  ensure(call: Call, request: ExportRequest<'file'>): Promise<void>;
  /** @throws FAILED_PRECONDITION: somebody is connected (`context.sessions`). */
  delete(call: Call, request: { readonly exportId: string }): Promise<void>;
  /** Ends when the last request in flight of the last session has ended: nothing is written afterwards. @throws NOT_FOUND. */
  revoke(call: Call, request: { readonly exportId: string }): Promise<void>;
  /** Answers the size in bytes that is exported then. @throws NOT_FOUND. FAILED_PRECONDITION: it serves another volume, or has not grown. */
  extend(call: Call, request: Pick<ExportRequest<'file'>, 'exportId' | 'volume'>): Promise<{ readonly sizeBytes: number }>;
  list(call: Call): Promise<readonly TargetExport<'nbd'>[]>;
  /** What is not as it should be, a sentence each. */
  faults(call: Call): Promise<readonly string[]>;
  /** Ends what this process holds of it. */
  close(): Promise<void>;
}

/** The methods of {@link Exports} that are about calls. */
export type ExportsMethod = Exclude<keyof Exports, 'close'>;
