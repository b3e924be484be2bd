import { type Call, unlessCode, VbsError } from '@vbs/core';
import type { Tools } from './tools.js';

type Seen = Pick<Tools, 'config' | 'machine'>;

/**
 * The MAC addresses of the configured interfaces, lower case with colons, as vblade's -m takes them.
 * @throws FAILED_PRECONDITION: there is no such interface, or it has no Ethernet address.
 */
export async function macAddresses(call: Call, { config, machine }: Seen): Promise<readonly string[]> {
  return await Promise.all(
    config.interfaces.map(async (name) => {
      const path = `/sys/class/net/${name}/address`;
      const address = (await unlessCode('NOT_FOUND', machine.readFile(call, path)))?.trim().toLowerCase();
      if (address !== undefined && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(address) && address !== '00:00:00:00:00:00') return address;
      const why = address === undefined ? 'is not there' : 'has no Ethernet address';
      const message = `The interface ${name} ${why} on this node: name one in "interfaces" that is on the segment of the volume servers.`;
      throw new VbsError('FAILED_PRECONDITION', message, { context: { field: 'interfaces', interface: name } });
    }),
  );
}

/** Why no target could be found: a sentence for each fault of this node's interfaces. */
export async function segmentFaults(call: Call, tools: Seen): Promise<readonly string[]> {
  const { config, machine } = tools;
  const read = async (path: string): Promise<string | undefined> =>
    (await unlessCode(['NOT_FOUND', 'PERMISSION_DENIED'], machine.readFile(call, path)))?.trim();
  // Only root may read it; empty: every interface.
  const listed = (await read('/sys/module/aoe/parameters/aoe_iflist')) ?? '';
  const allowed = listed.split(/\s+/).filter((name) => name !== '' && name !== '(null)');
  const faults = config.interfaces.map(async (name) => {
    const state = await read(`/sys/class/net/${name}/operstate`);
    if (state === undefined) return [`There is no interface ${name} on this node.`];
    // unknown: veth and others that do not tell.
    if (state !== 'up' && state !== 'unknown')
      return [`The interface ${name} is ${state}: run "ip link set ${name} up", and look at its cable.`];
    if (allowed.length > 0 && !allowed.includes(name)) {
      return [`The aoe module may not use ${name}: run "aoe-interfaces ${[...allowed, name].join(' ')}".`];
    }
    return await mtuFault(name, config.minimumMtu, read);
  });
  return (await Promise.all(faults)).flat();
}

async function mtuFault(name: string, minimum: number | undefined, read: (path: string) => Promise<string | undefined>): Promise<string[]> {
  if (minimum === undefined) return [];
  const mtu = await read(`/sys/class/net/${name}/mtu`);
  if (mtu !== undefined && Number(mtu) >= minimum) return [];
  return [
    `The MTU of ${name} is ${mtu ?? 'not known'}, less than "minimumMtu" ${minimum}: run "ip link set ${name} mtu ${minimum}", on every machine of the segment.`,
  ];
}
