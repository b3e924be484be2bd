import { once } from 'node:events';
import type { Server } from 'node:http';
import type { ListenOptions } from 'node:net';
import { type ErrorCode, VbsError } from '@vbs/core';

const codes: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  EADDRINUSE: ['RESOURCE_EXHAUSTED', 'is in use; name another port, or 0 for any that is free'],
  EACCES: ['PERMISSION_DENIED', 'may not be used by this process; name a port above 1023, or a folder that it may write'],
  EPERM: ['PERMISSION_DENIED', 'may not be used by this process; name a port above 1023, or a folder that it may write'],
  EADDRNOTAVAIL: ['INVALID_ARGUMENT', 'is no address of this machine; name one that it has, such as 127.0.0.1'],
  ENOTFOUND: ['INVALID_ARGUMENT', 'is no host that can be found; name an address of this machine, such as 127.0.0.1'],
};

/** Waits until a server listens. @throws RESOURCE_EXHAUSTED: the port is in use. PERMISSION_DENIED, INVALID_ARGUMENT. */
export async function listen(server: Server, options: ListenOptions): Promise<void> {
  const at = options.path ?? `port ${options.port} of ${options.host}`;
  try {
    const listening = once(server, 'listening');
    server.listen(options);
    await listening;
  } catch (cause) {
    const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const [code, message] = codes[errno] ?? ['INTERNAL', `could not be listened on (${errno})`];
    throw new VbsError(code, `${at} ${message}`, { context: { field: options.path === undefined ? 'port' : 'socket' }, cause });
  }
}

/** Takes no new connection; ends when those that are open have ended. */
export function closeServer(server: Server): Promise<void> {
  if (!server.listening) return Promise.resolve();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  return closed;
}
