import { randomUUID } from 'node:crypto';
import { compose, type StoreOverrides } from './compose.js';
import type { Configuration } from './config/configuration.js';
import { type BlockStoreConfig, readConfiguration } from './config/index.js';
import { defaultLogger } from './default-logger.js';
import { openDelegates } from './delegate/open-delegates.js';
import { DefaultMachines } from './machine/machines.js';
import { ownIdentity } from './machine/process-identity.js';
import { migrate } from './metadata/database/migrate.js';
import { openDatabase } from './metadata/database/open-database.js';
import { knownPools, rememberPool, storeId } from './metadata/database/store-identity.js';
import { migrations } from './metadata/migrations/index.js';
import type { BlockStore } from './operations/block-store.js';
import { ChapSecrets, openChapSecrets } from './operations/chap-secrets.js';
import { defaultPlacement } from './operations/placement.js';
import type { Plugin } from './plugin/define-plugin.js';
import { loadPlugins } from './plugin/load-plugins.js';
import type { Services } from './services.js';

/**
 * Opens a store: reads and validates its configuration, opens its database and every instance, takes up what an earlier process
 * left, and puts attachments back. Whoever opens it closes it, best with `await using`.
 *
 * `configuration` is the path of a YAML or JSON file, or the configuration itself, with plugins as values or by name.
 * @throws CONFIG_INVALID, PLUGIN_INVALID: every fault at once, in `context.faults`. FAILED_PRECONDITION: the database is damaged or
 * newer than this VBS, or a pool is another store's. UNAVAILABLE: a pool or daemon does not answer.
 */
export function openBlockStore<const Ps extends readonly (string | Plugin)[]>(
  configuration: BlockStoreConfig<Ps> | string,
  services: Partial<Services> = {},
): Promise<BlockStore> {
  return openStore(configuration, services, {});
}

/** {@link openBlockStore} with services replaced that embedders may not: for tests that plant faults. */
export async function openStore(source: object | string, services: Partial<Services>, overrides: StoreOverrides): Promise<BlockStore> {
  const configuration = await readConfiguration(source);
  const log = services.logger ?? defaultLogger();
  const plugins = await loadPlugins(configuration.plugins, configuration.baseDirectory);
  const machines = new DefaultMachines({ stateDirectory: configuration.stateDirectory, log });
  const full: Services = {
    clock: services.clock ?? { now: () => Date.now() },
    newId: services.newId ?? randomUUID,
    logger: log,
    machines: services.machines ?? machines,
    placement: services.placement ?? defaultPlacement,
    observer: services.observer ?? {},
    endpoint: services.endpoint ?? null,
  };
  const undo: (() => Promise<void>)[] = [() => machines.close()];
  try {
    return await openParts(configuration, plugins, full, { ...overrides, closeMachines: () => machines.close() }, undo);
  } catch (error) {
    for (const close of undo.reverse())
      await close().catch((closing: unknown) => log.error({ err: closing }, 'a failed start could not be cleared up'));
    throw error;
  }
}

async function openParts(
  configuration: Configuration,
  plugins: ReadonlyMap<string, Plugin>,
  services: Services,
  { closeMachines, ...overrides }: StoreOverrides & { readonly closeMachines: () => Promise<void> },
  undo: (() => Promise<void>)[],
): Promise<BlockStore> {
  const log = services.logger;
  const database = await openDatabase(configuration.database, { log });
  undo.push(() => database.close());
  await migrate(database, migrations, { log });
  const id = await storeId(database);
  const delegates = await openDelegates(configuration, plugins, {
    machines: services.machines,
    store: { id, knownPools: await knownPools(database.knex) },
    log,
    onCall: (record) => services.observer.onCall?.(record),
    ...(services.endpoint === null ? {} : { endpoint: services.endpoint }),
    ...(overrides.layers ?? {}),
  });
  undo.push(() => delegates.close());
  await database.transaction(async (trx) => {
    for (const pool of delegates.openedBackends) await rememberPool(trx, pool);
  });
  const usesChap = [...delegates.volumeServers.values()].some(({ exporters }) =>
    [...exporters.values()].some(({ capabilities }) => capabilities.has('chap')),
  );
  const { masterKey, stateDirectory } = configuration;
  const chap = usesChap ? await openChapSecrets(masterKey, { stateDirectory, database }) : new ChapSecrets(null);
  const composed = compose({
    services,
    overrides,
    database,
    delegates,
    chap,
    closeMachines,
    process: { id: randomUUID(), identity: JSON.stringify(await ownIdentity()), endpoint: services.endpoint },
  });
  undo.push(() => composed.close());
  await composed.start();
  return composed.blockStore;
}
