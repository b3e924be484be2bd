import type { DeviceSource } from '@vbs/core';
import { VbsError } from '@vbs/core';
import { formatNbdUri, parseNbdUri } from '@vbs/plugin-nbd/client';

/** An NBD export as a source: two sources with the same `uri` are one. */
export interface NbdSource {
  /** Normalised: lower-case host, port always named. */
  readonly uri: string;
}

/**
 * The NBD export that a source means.
 *
 * @throws UNSUPPORTED: the source is no NBD connection. INVALID_ARGUMENT: its URI has neither host nor socket, or no export name.
 */
export function nbdSource(source: DeviceSource): NbdSource {
  if (source.kind !== 'connection' || source.connection.protocol !== 'nbd') {
    const given = source.kind === 'block' ? `the block device ${source.path}` : `a connection by ${source.connection.protocol}`;
    throw new VbsError('UNSUPPORTED', `A sandbox VM opens NBD connections itself and takes nothing else; it was given ${given}.`, {
      context: { field: 'source' },
    });
  }
  const target = parseNbdUri(source.connection.uri);
  if (target.exportName === '') {
    throw new VbsError('INVALID_ARGUMENT', `The NBD URI ${source.connection.uri} names no export.`, { context: { field: 'uri' } });
  }
  return { uri: formatNbdUri(target) };
}

/** The source that {@link nbdSource} read. */
export function deviceSource(uri: string): DeviceSource {
  return { kind: 'connection', connection: { protocol: 'nbd', key: uri, uri } };
}
