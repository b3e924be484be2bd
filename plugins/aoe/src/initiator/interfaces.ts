import { type Call, VbsError } from '@vbs/core';
import { readable } from './readable.js';
import type { Tools } from './tools.js';

type Seen = Pick<Tools, 'config' | 'machine'>;

/**
 * The MAC addresses of the configured interfaces, lower case with colons, as vblade's -m takes them.
 * @throws FAILED_PRECONDITION: there is no such interface, or it has no Ethernet address.
 */
export async function macAddresses(call: Call, { config, machine }: Seen): Promise<readonly string[]> {
  const pathOf = (name: string): string => `/sys/class/net/${name}/address`;
  const look = await machine.look(call, config.interfaces.map(pathOf));
  return config.interfaces.map((name) => {
    const address = look.text(pathOf(name))?.trim().toLowerCase();
    if (address !== undefined && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(address) && address !== '00:00:00:00:00:00') return address;
    const why = address === undefined ? 'is not there' : 'has no Ethernet address';
    const message = `The interface ${name} ${why} on this node: name one in "interfaces" that is on the segment of the volume servers.`;
    throw new VbsError('FAILED_PRECONDITION', message, { context: { field: 'interfaces', interface: name } });
  });
}

/** Which interfaces the module may use; only root may read it; empty: every one. */
const interfaceList = '/sys/module/aoe/parameters/aoe_iflist';

/** Why no target could be found: a sentence for each fault of this node's interfaces. */
export async function segmentFaults(call: Call, { config, machine }: Seen): Promise<readonly string[]> {
  const of = (name: string, attribute: string): string => `/sys/class/net/${name}/${attribute}`;
  const look = await machine.look(call, [interfaceList, ...config.interfaces.flatMap((name) => [of(name, 'operstate'), of(name, 'mtu')])]);
  const allowed = (readable(look, interfaceList) ?? '').split(/\s+/).filter((name) => name !== '' && name !== '(null)');
  return config.interfaces.flatMap((name) => {
    const state = readable(look, of(name, 'operstate'));
    if (state === undefined) return [`There is no interface ${name} on this node.`];
    // unknown: veth and others that do not tell.
    if (state !== 'up' && state !== 'unknown')
      return [`The interface ${name} is ${state}: run "ip link set ${name} up", and look at its cable.`];
    if (allowed.length > 0 && !allowed.includes(name)) {
      return [`The aoe module may not use ${name}: run "aoe-interfaces ${[...allowed, name].join(' ')}".`];
    }
    return mtuFault(name, config.minimumMtu, readable(look, of(name, 'mtu')));
  });
}

function mtuFault(name: string, minimum: number | undefined, mtu: string | undefined): string[] {
  if (minimum === undefined || (mtu !== undefined && Number(mtu) >= minimum)) return [];
  return [
    `The MTU of ${name} is ${mtu ?? 'not known'}, less than "minimumMtu" ${minimum}: run "ip link set ${name} mtu ${minimum}", on every machine of the segment.`,
  ];
}
