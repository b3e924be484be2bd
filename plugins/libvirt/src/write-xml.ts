import { DOMImplementation, type Element, XMLSerializer } from '@xmldom/xmldom';
import type { LibvirtConfig } from './config.js';
import { aliasOf, secretOf } from './names.js';
import type { WantedDisk } from './requests.js';

type Attributes = Readonly<Record<string, string | number>>;

class Writer {
  readonly #document = new DOMImplementation().createDocument(null, '');

  element(name: string, attributes: Attributes = {}, ...content: readonly (Element | string)[]): Element {
    const element = this.#document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
    for (const one of content) element.appendChild(typeof one === 'string' ? this.#document.createTextNode(one) : one);
    return element;
  }
}

function written(element: Element): string {
  return new XMLSerializer().serializeToString(element);
}

export interface DiskSettings {
  readonly initiatorName: string;
  readonly onError: NonNullable<LibvirtConfig['onError']>;
}

/** How long requests wait for an NBD server that is away, where libvirt knows how to say it (9.0 takes no notice). */
const reconnectSeconds = 300;

/** A disk for `virsh attach-device`. Caches of the host are passed by: a guest's flush ends at the volume. */
export function diskXml(wanted: WantedDisk, { initiatorName, onError }: DiskSettings): string {
  const { source, slot, access, serial, attachmentId, chap } = wanted;
  const writer = new Writer();
  const element = writer.element.bind(writer);
  const sourceElement = (): Element => {
    if (source.type === 'block') return element('source', { dev: source.path });
    if (source.type === 'nbd') {
      const { at, exportName, tls } = source.place;
      const host = 'socket' in at ? { transport: 'unix', socket: at.socket } : { name: at.host, port: at.port };
      const attributes = { protocol: 'nbd', name: exportName, ...(tls ? { tls: 'yes' } : {}) };
      return element('source', attributes, element('host', host), element('reconnect', { delay: reconnectSeconds }));
    }
    const secret = element('secret', { type: 'iscsi', uuid: secretOf(attachmentId) });
    return element(
      'source',
      { protocol: 'iscsi', name: `${source.iqn}/${source.lun}` },
      element('host', { name: source.host, port: source.port }),
      ...(chap === undefined ? [] : [element('auth', { username: chap.user }, secret)]),
      element('initiator', {}, element('iqn', { name: initiatorName })),
    );
  };
  return written(
    element(
      'disk',
      { type: source.type === 'block' ? 'block' : 'network', device: 'disk' },
      element('driver', { name: 'qemu', type: 'raw', cache: 'none', error_policy: onError, rerror_policy: onError }),
      sourceElement(),
      element('target', { dev: slot.name, bus: slot.bus }),
      ...(access === 'read-only' ? [element('readonly')] : []),
      element('serial', {}, serial),
      element('alias', { name: aliasOf(attachmentId) }),
    ),
  );
}

/** A secret for `virsh secret-define`: kept by libvirt as long as the VM's definition names it, and given to nobody who asks. */
export function secretXml(attachmentId: string): string {
  const writer = new Writer();
  const element = writer.element.bind(writer);
  return written(
    element(
      'secret',
      { ephemeral: 'no', private: 'yes' },
      element('uuid', {}, secretOf(attachmentId)),
      element('description', {}, `VBS ${attachmentId}`),
      element('usage', { type: 'iscsi' }, element('target', {}, `vbs ${attachmentId}`)),
    ),
  );
}
