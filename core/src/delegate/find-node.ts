import { VbsError } from '../errors.js';
import type { Delegates, VmmDelegate } from './delegate.js';

/** The names by which a node is found, in lower case: host names know no case. */
export function namesOfNode({ name, hostnames }: { readonly name: string; readonly hostnames: readonly string[] }): readonly string[] {
  return [...new Set([name, ...hostnames].map((known) => known.toLowerCase()))];
}

/**
 * The VMM node of this name or host name; case does not matter.
 * @throws NOT_FOUND: no node has it; message and context list the known ones.
 */
export function findNode({ vmmNodes }: Pick<Delegates, 'vmmNodes'>, vmmHost: string): VmmDelegate {
  const wanted = vmmHost.toLowerCase();
  const nodes = [...vmmNodes.values()];
  const found = nodes.find((node) => namesOfNode(node).includes(wanted));
  if (found !== undefined) return found;
  const known = nodes.map(({ name, hostnames }) => ({ name, hostnames }));
  const listed = known.map(({ name, hostnames }) => (hostnames.length === 0 ? name : `${name} (${hostnames.join(', ')})`)).join(', ');
  throw new VbsError(
    'NOT_FOUND',
    nodes.length === 0
      ? `there is no VMM host ${JSON.stringify(vmmHost)}: none is configured; add it under vmmNodes`
      : `there is no VMM host ${JSON.stringify(vmmHost)}; known are ${listed}`,
    { resource: vmmHost, context: { field: 'vmmHost', known } },
  );
}
