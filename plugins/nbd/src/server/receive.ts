import type { Socket } from 'node:net';
import { duplicate } from '@vbs/core/posix';
import { ByteReader } from '../protocol/byte-reader.js';
import { ReusedMemory } from './reused-memory.js';

/** A connection and what has come over it. */
export interface Received {
  readonly socket: Socket;
  readonly reader: ByteReader;
}

/** Begins to receive from a connection that was accepted paused; use and end it by the socket that this answers. */
export function receive(accepted: Socket): Received {
  const fd = secondDescriptor(accepted);
  if (fd === null) return { socket: accepted, reader: new ByteReader(accepted) };
  const memory = new ReusedMemory(fd);
  // The listening socket counts the accepted one until it ends.
  memory.socket.once('close', () => accepted.destroy());
  return { socket: memory.socket, reader: new ByteReader(memory.socket, memory) };
}

/**
 * Node.js gives the memory to receive into only to sockets that are made of a descriptor, and has no public name for that of an accepted
 * one. Null where it is not under this name either, or where descriptors have run out: the connection is then served from a stream, as
 * rightly and more slowly.
 */
function secondDescriptor(socket: Socket): number | null {
  const { _handle: handle } = socket as { readonly _handle?: unknown };
  const fd = typeof handle === 'object' && handle !== null && 'fd' in handle ? handle.fd : null;
  if (typeof fd !== 'number' || fd < 0) return null;
  try {
    return duplicate(fd);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EMFILE') return null;
    throw error;
  }
}
