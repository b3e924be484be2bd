import { type Portal, parsePortal } from './portal.js';

/** The portals in the output of `tgtadm --op show --mode portal`: `Portal: 127.0.0.1:3260,1` a line. A tgtd that could not listen has none. */
export function parsePortals(output: string): readonly Portal[] {
  return output.split('\n').flatMap((line) => {
    const [, address] = /^Portal: (.+),\d+$/.exec(line) ?? [];
    return (address === undefined ? undefined : parsePortal(address)) ?? [];
  });
}
