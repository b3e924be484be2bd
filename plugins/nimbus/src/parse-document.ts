import { VbsError } from '@vbs/core';
import { DOMParser } from '@xmldom/xmldom';
import xpath from 'xpath';
import { type DocumentsConfig, nimbusDefaults } from './config.js';
import { type InstanceRecord, requireRecord } from './instance-record.js';

/** Reads what a resource-property document says of its instance. */
export type ReadDocument = (managerId: string, text: string) => InstanceRecord;

/** @throws CONFIG_INVALID: a path is no XPath, or uses a prefix without a namespace. */
export function documentReader({ namespaces = nimbusDefaults.namespaces, host, state }: DocumentsConfig): ReadDocument {
  const select = xpath.useNamespaces({ ...namespaces });
  const textAt = (path: string, document: Node): string => String(select(`string(${path})`, document)).trim();
  for (const [field, path] of Object.entries({ host, ...(state === undefined ? {} : { state }) }))
    requirePath(field, () => textAt(path, parse('<none/>')));
  return (managerId, text) => {
    const document = parse(text);
    const node = textAt(host, document);
    const found = state === undefined ? (node === '' ? 'Unpropagated' : 'Running') : textAt(state, document);
    return requireRecord({ managerId, node, state: found }, `The document of instance ${managerId}`);
  };
}

function requirePath(field: string, evaluate: () => string): void {
  try {
    evaluate();
  } catch (cause) {
    const message = `documents.${field} cannot be evaluated: ${cause instanceof Error ? cause.message : String(cause)}. Give an XPath 1.0 expression with prefixes of documents.namespaces.`;
    throw new VbsError('CONFIG_INVALID', message, { context: { field: `documents.${field}`, faults: [message] }, cause });
  }
}

/** Without document types: an entity could stand for anything. */
function parse(text: string): Node {
  if (/<!(DOCTYPE|ENTITY)/i.test(text))
    throw new VbsError('INTERNAL', 'A document of an instance declares a document type: that is refused.');
  try {
    const document = new DOMParser({
      onError: (level, message) => {
        if (level !== 'warning') throw new SyntaxError(message);
      },
    }).parseFromString(text, 'text/xml');
    // xpath is typed for the DOM of browsers, and evaluates xmldom's.
    return document as unknown as Node;
  } catch (cause) {
    throw new VbsError('INTERNAL', 'A document of an instance is no well-formed XML: it may have been cut off.', { cause });
  }
}
