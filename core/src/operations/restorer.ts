import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import type { Call, Logger } from '../contract/call.js';
import { toVbsError, VbsError } from '../errors.js';
import { type AttachmentRecord, attachments } from '../metadata/attachments.js';
import { type ExportRecord, exportsTable } from '../metadata/exports.js';
import { leasedResources } from '../metadata/leases.js';
import type { MetadataStore } from '../metadata/metadata-store.js';
import { ResourceBusy } from '../workflow/journal.js';
import type { OperationEngine } from '../workflow/operation-engine.js';
import type { Instances } from './instances.js';
import { planDetachVolume } from './plans/plan-detach-volume.js';
import { planRestoreAttachment } from './plans/plan-restore-attachment.js';
import type { PlanServices } from './plans/plan-services.js';
import type { Workflows } from './workflows.js';

/** How long a start waits for the first look, in milliseconds. */
const firstLookMs = 5_000;
/** The longest pause between two tries to restore one attachment, in milliseconds. */
const longestPauseMs = 10 * 60_000;

export interface RestorerServices {
  readonly store: MetadataStore;
  readonly engine: OperationEngine;
  readonly instances: Instances;
  readonly workflows: Workflows;
  readonly planServices: PlanServices;
  readonly log: Logger;
  readonly lookMs: number;
  /** False while this store only reads. */
  readonly mayAct: () => boolean;
}

/**
 * Puts attachments back whose export is gone or whose node was booted again (safety F2): at start, and every few seconds. An
 * attachment whose VM is gone is detached, with that reason.
 */
export class Restorer {
  readonly #services: RestorerServices;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;
  /** Attachments that could not be restored, and when each is tried again. */
  readonly #pauses = new Map<string, { readonly failures: number; readonly until: number }>();

  constructor(services: RestorerServices) {
    this.#services = services;
  }

  /** Looks now, and every few seconds. Ends when what was found is restored or stuck, or after a few seconds in any case. */
  async start(): Promise<void> {
    const limit = new AbortController();
    await Promise.race([this.look(), pause(firstLookMs, undefined, { signal: limit.signal }).catch(() => undefined)]);
    limit.abort();
    this.#timer = setInterval(() => void this.look(), this.#services.lookMs).unref();
  }

  look(): Promise<void> {
    this.#looking = this.#looking.then(async () => {
      if (this.#stopped) return;
      await this.#look().catch((error: unknown) =>
        this.#services.log.warn({ err: error }, 'the look for attachments to restore failed; it is done again'),
      );
    });
    return this.#looking;
  }

  /** Looks no more; what it has begun is the engine's to end. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { store, mayAct } = this.#services;
    if (!mayAct()) return;
    // The leases first: what a restore that ends meanwhile has written is then seen below.
    const leased = await leasedResources(store.db);
    const attached = await attachments.list(store.db, (query) => query.where({ state: 'attached' }));
    if (attached.length === 0) return;
    const outside = new OutsideLook(this.#services);
    const restores: Promise<void>[] = [];
    for (const attachment of attached) {
      if (leased.has(attachment.volumeId) || (this.#pauses.get(attachment.id)?.until ?? 0) > performance.now()) continue;
      if (await outside.isLost(attachment)) restores.push(this.#restore(attachment));
    }
    await Promise.all(restores);
  }

  async #restore(attachment: AttachmentRecord): Promise<void> {
    const { engine, workflows, log } = this.#services;
    const { id: attachmentId, volumeId } = attachment;
    try {
      const { record } = await engine.begin(planRestoreAttachment(workflows.restoreAttachment, { volumeId, attachmentId }), {
        wait: false,
      });
      const ended = await engine.wait(record.id);
      if (ended.state === 'succeeded') this.#pauses.delete(attachmentId);
      if (ended.state !== 'failed') return;
      if (ended.error?.context.reason === 'vm-gone') return await this.#detachFromGoneVm(attachment);
      this.#pause(attachmentId);
      log.warn({ attachmentId, error: ended.error }, 'attachment could not be restored; it is tried again');
    } catch (error) {
      if (!(error instanceof ResourceBusy)) log.warn({ err: error, attachmentId }, 'attachment could not be restored; it is tried again');
    }
  }

  #pause(attachmentId: string): void {
    const failures = (this.#pauses.get(attachmentId)?.failures ?? 0) + 1;
    const pauseMs = Math.min(this.#services.lookMs * 2 ** (failures - 1), longestPauseMs);
    this.#pauses.set(attachmentId, { failures, until: performance.now() + pauseMs });
  }

  async #detachFromGoneVm({ id: attachmentId, volumeId, vmId, node }: AttachmentRecord): Promise<void> {
    const { engine, workflows, planServices } = this.#services;
    const plan = planDetachVolume(planServices, workflows.detachVolume, { volumeId, attachmentId }, `the VM ${vmId} is gone from ${node}`);
    const { record } = await engine.begin(plan, { wait: false });
    await engine.wait(record.id);
  }
}

/** One look at the outside, each node and exporter asked once. */
class OutsideLook {
  readonly #services: RestorerServices;
  readonly #bootIds = new Map<string, Promise<string | null>>();
  readonly #exports = new Map<string, Promise<ReadonlySet<string> | null>>();

  constructor(services: RestorerServices) {
    this.#services = services;
  }

  /** Whether the attachment has to be put back; not when nothing can be said. */
  async isLost(attachment: AttachmentRecord): Promise<boolean> {
    const { instances, store } = this.#services;
    const exported = await exportsTable.get(store.db, attachment.exportId);
    if (exported === null || !this.#isServed(attachment, exported, instances)) return false;
    const bootId = await this.#bootId(attachment.node);
    const listed = await this.#listed(exported.exporter);
    if (bootId === null || listed === null) return false;
    return bootId !== attachment.bootId || !listed.has(exported.id);
  }

  #isServed({ node, initiator }: AttachmentRecord, { exporter }: ExportRecord, instances: Instances): boolean {
    try {
      return instances.canServe([exporter, instances.node(node).hypervisor.name, ...(initiator === null ? [] : [initiator])]);
    } catch (error) {
      if (error instanceof VbsError) return false;
      throw error;
    }
  }

  #bootId(node: string): Promise<string | null> {
    return this.#once(this.#bootIds, node, (call) => this.#services.instances.node(node).bootId(call));
  }

  #listed(exporter: string): Promise<ReadonlySet<string> | null> {
    return this.#once(
      this.#exports,
      exporter,
      async (call) =>
        new Set((await this.#services.instances.exporter(exporter).contract.listExports(call)).map(({ exportId }) => exportId)),
    );
  }

  #once<T>(known: Map<string, Promise<T | null>>, name: string, look: (call: Call) => Promise<T>): Promise<T | null> {
    const asked =
      known.get(name) ??
      look(this.#services.planServices.lookCall()).catch((error: unknown) => {
        this.#services.log.warn(
          { error: toVbsError(error).toJSON(), name },
          'cannot be asked now; what is attached there is looked at again later',
        );
        return null;
      });
    known.set(name, asked);
    return asked;
  }
}
