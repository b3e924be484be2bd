import { createHash } from 'node:crypto';
import { type Instance, VbsError } from '@vbs/core';
import { deafShelf, defaultShelves, numbersOf, type Shelves } from './address.js';
import type { exporterCommands } from './commands.js';
import { type AoeExporterConfig, aoeExporterDefaults } from './config.js';

/** The configuration of an instance, completed. */
export interface ExporterSettings {
  readonly interface: string;
  readonly segment: string;
  readonly shelves: Shelves;
  /** The numbers of the shelves' addresses. */
  readonly numbers: { readonly first: number; readonly last: number };
  readonly sync: boolean;
  readonly direct: boolean;
  readonly bufferCount: number;
  readonly acl: boolean;
  readonly directory: string;
}

/** @throws CONFIG_INVALID: the shelves have no order, or one of them is ignored by initiators. */
export function settingsOf(
  instance: Pick<Instance<AoeExporterConfig, 'any', typeof exporterCommands>, 'config' | 'name' | 'store' | 'stateDirectory'>,
): ExporterSettings {
  const config = { ...aoeExporterDefaults, ...instance.config };
  const shelves = config.shelves ?? defaultShelves(instance.store.id, config.segment);
  const invalid = (what: string): VbsError => {
    const told = `${instance.name}: "shelves" ${what}; it has ${shelves.first} to ${shelves.last}.`;
    return new VbsError('CONFIG_INVALID', told, { context: { field: 'shelves', faults: [told] } });
  };
  if (shelves.last < shelves.first) throw invalid('must have "first" not above "last"');
  if (shelves.first <= deafShelf && deafShelf <= shelves.last)
    throw invalid(`must be without ${deafShelf}, which initiators of Linux ignore`);
  const digest = createHash('sha256').update(instance.name).digest('hex').slice(0, 16);
  return { ...config, shelves, numbers: numbersOf(shelves), directory: config.directory ?? `${instance.stateDirectory}/aoe-${digest}` };
}
