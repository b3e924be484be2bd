/** Where an NBD export is, as its URI tells (NBD URI specification). */
export interface NbdPlace {
  readonly at: { readonly host: string; readonly port: number } | { readonly socket: string };
  readonly exportName: string;
  readonly tls: boolean;
}

export const defaultNbdPort = 10809;
const schemes: Readonly<Record<string, { readonly unix: boolean; readonly tls: boolean }>> = {
  'nbd:': { unix: false, tls: false },
  'nbds:': { unix: false, tls: true },
  'nbd+unix:': { unix: true, tls: false },
  'nbds+unix:': { unix: true, tls: true },
};

/** undefined: it is no NBD URI with a host, or with a Unix socket. */
export function parseNbdUri(uri: string): NbdPlace | undefined {
  if (!URL.canParse(uri)) return undefined;
  const { protocol, hostname, port, pathname, searchParams } = new URL(uri);
  const scheme = schemes[protocol];
  const exportName = decoded(pathname.slice(1));
  if (scheme === undefined || exportName === undefined) return undefined;
  const { unix, tls } = scheme;
  const socket = searchParams.get('socket');
  if (unix) return socket?.startsWith('/') === true && hostname === '' ? { at: { socket }, exportName, tls } : undefined;
  if (socket !== null || hostname === '') return undefined;
  const host = hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return { at: { host, port: port === '' ? defaultNbdPort : Number(port) }, exportName, tls };
}

/** In the one spelling in which exporters write it: the port always named. */
export function formatNbdUri({ at, exportName, tls }: NbdPlace): string {
  const scheme = tls ? 'nbds' : 'nbd';
  const name = encodeURIComponent(exportName);
  if ('socket' in at) return `${scheme}+unix:///${name}?socket=${encodeURIComponent(at.socket).replaceAll('%2F', '/')}`;
  return `${scheme}://${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port}/${name}`;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
