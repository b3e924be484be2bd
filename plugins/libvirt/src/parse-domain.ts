import { type Access, VbsError } from '@vbs/core';
import { DOMParser, type Element } from '@xmldom/xmldom';
import { defaultNbdPort } from './nbd-uri.js';
import { blockSource, iscsiSource, nbdSource, type Source } from './source.js';

/** A disk as a VM's XML has it: `target` is its slot. */
export interface Disk {
  readonly target: string;
  readonly bus: string;
  /** libvirt's own name for a device of a running VM, or the user's, which begins with `ua-`. */
  readonly alias?: string;
  /** Left out for what VBS never attaches: files, other protocols, empty drives. */
  readonly source?: Source;
  readonly access: Access;
}

/** What VBS reads of a VM's XML (libvirt.org/formatdomain). */
export interface Domain {
  readonly uuid: string;
  readonly name: string;
  /** Only of a running VM. */
  readonly id?: string;
  readonly disks: readonly Disk[];
  readonly hasScsi: boolean;
}

const defaultIscsiPort = 3260;

/** @throws INTERNAL: the text is no XML. */
export function parseXml(text: string): Element {
  let fault = 'it is empty';
  const onError = (level: string, message: string): void => {
    if (level !== 'warning') throw new SyntaxError(message);
  };
  try {
    const root = new DOMParser({ onError }).parseFromString(text, 'text/xml').documentElement;
    if (root !== null) return root;
  } catch (error) {
    // xmldom's own errors are no Error.
    fault = typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
  }
  throw new VbsError('INTERNAL', `virsh has answered what is no XML: ${fault.slice(0, 300)}`);
}

/** A `<domain>`; undefined for any other element. */
export function parseDomain(element: Element): Domain | undefined {
  const uuid = textOf(child(element, 'uuid'));
  if (element.tagName !== 'domain' || uuid === '') return undefined;
  const devices = child(element, 'devices');
  const id = element.getAttribute('id');
  return {
    uuid,
    name: textOf(child(element, 'name')),
    ...(id === null ? {} : { id }),
    disks: children(devices, 'disk').flatMap((disk) => parseDisk(disk) ?? []),
    hasScsi: children(devices, 'controller').some((controller) => controller.getAttribute('type') === 'scsi'),
  };
}

function parseDisk(disk: Element): Disk | undefined {
  const target = child(disk, 'target');
  const [name, alias] = [target?.getAttribute('dev'), child(disk, 'alias')?.getAttribute('name')];
  if (target === undefined || !name) return undefined;
  const source = parseSource(disk);
  const isReadOnly = child(disk, 'readonly') !== undefined || disk.getAttribute('device') === 'cdrom';
  return {
    target: name,
    bus: target.getAttribute('bus') ?? '',
    ...(alias ? { alias } : {}),
    ...(source === undefined ? {} : { source }),
    access: isReadOnly ? 'read-only' : 'read-write',
  };
}

function parseSource(disk: Element): Source | undefined {
  const source = child(disk, 'source');
  const path = source?.getAttribute('dev');
  if (disk.getAttribute('type') === 'block' && path) return blockSource(path);
  if (source === undefined || disk.getAttribute('type') !== 'network') return undefined;
  const host = child(source, 'host');
  const attribute = (name: string): string => host?.getAttribute(name) ?? '';
  const name = source.getAttribute('name') ?? '';
  const port = (usual: number): number => (attribute('port') === '' ? usual : Number(attribute('port')));
  if (source.getAttribute('protocol') === 'nbd') {
    const at =
      attribute('transport') === 'unix'
        ? { socket: attribute('socket') }
        : { host: attribute('name').toLowerCase(), port: port(defaultNbdPort) };
    return nbdSource({ at, exportName: name, tls: source.getAttribute('tls') === 'yes' });
  }
  const [, iqn, lun] = /^(.+)\/(\d+)$/.exec(name) ?? [];
  if (source.getAttribute('protocol') !== 'iscsi' || iqn === undefined) return undefined;
  return iscsiSource({
    host: attribute('name'),
    port: port(defaultIscsiPort),
    iqn,
    lun: Number(lun),
    serial: textOf(child(disk, 'serial')),
  });
}

export function children(parent: Element | undefined, name: string): readonly Element[] {
  if (parent === undefined) return [];
  return Array.from(parent.childNodes).filter((node): node is Element => node.nodeType === node.ELEMENT_NODE && node.nodeName === name);
}

export function child(parent: Element | undefined, name: string): Element | undefined {
  return children(parent, name)[0];
}

export function textOf(element: Element | undefined): string {
  return element?.textContent?.trim() ?? '';
}
