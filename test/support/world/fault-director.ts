import { setTimeout as pause } from 'node:timers/promises';
import type { Call } from '@vbs/core';
import type { Fault, FaultKind, FaultSource } from './faults.js';

/** One operation under test: the faults that its calls are to have, and the calls that it made. */
export class FaultPlan {
  /** The operations that it is about. */
  readonly operations = new Set<string>();
  /** The methods that were called, in order. */
  readonly calls: string[] = [];
  readonly #faults: readonly Fault[];
  #met = 0;
  armed = false;

  constructor(faults: readonly Fault[]) {
    this.#faults = faults;
  }

  /** How many of its faults came about. */
  get met(): number {
    return this.#met;
  }

  /** Notes a call, and answers its fault. */
  next(method: string): FaultKind | undefined {
    if (!this.armed) return undefined;
    this.calls.push(method);
    const nth = this.calls.filter((called) => called === method).length;
    const fault = this.#faults.find((one) => one.method === method && one.nth === nth);
    if (fault !== undefined) this.#met += 1;
    return fault?.kind;
  }
}

/** How long a call waits until a test has said to which plan its operation belongs. */
const claimMs = 2_000;

/**
 * Deals each call of a world to the plan of its operation, so that many operations with faults of their own run in one store.
 * Calls before an operation has an id, and those of operations that nobody begins by a call, are told by the VM that they name.
 */
export class FaultDirector {
  readonly #byOperation = new Map<string, FaultPlan | null>();
  readonly #byVm = new Map<string, FaultPlan>();
  readonly #waiting = new Map<string, () => void>();

  /** Says whose an operation is; null: it has no faults. */
  claim(operationId: string, plan: FaultPlan | null): void {
    this.#bind(operationId, plan);
    this.#waiting.get(operationId)?.();
  }

  #bind(operationId: string, plan: FaultPlan | null): void {
    this.#byOperation.set(operationId, plan);
    plan?.operations.add(operationId);
  }

  claimVm(vm: string, plan: FaultPlan): void {
    this.#byVm.set(vm, plan);
  }

  readonly source: FaultSource = async (call, method, request) => (await this.#planOf(call, request))?.next(this.#name(call, method));

  /** A look before the operation has an id counts on its own. */
  #name({ operationId }: Call, method: string): string {
    return operationId === '' ? `plan:${method}` : method;
  }

  async #planOf({ operationId }: Call, request: unknown): Promise<FaultPlan | null> {
    const byVm = this.#byVm.get(vmOf(request));
    if (operationId === '') return byVm ?? null;
    const known = this.#byOperation.get(operationId);
    if (known !== undefined) return known;
    if (byVm !== undefined) {
      this.#bind(operationId, byVm);
      return byVm;
    }
    const claimed = new Promise<void>((resolve) => this.#waiting.set(operationId, resolve));
    const limit = new AbortController();
    await Promise.race([claimed, pause(claimMs, undefined, { signal: limit.signal }).catch(() => undefined)]);
    limit.abort();
    this.#waiting.delete(operationId);
    return this.#byOperation.get(operationId) ?? null;
  }
}

function vmOf(request: unknown): string {
  const { vmId, vm, instanceId } = (request ?? {}) as { vmId?: string; vm?: string; instanceId?: string };
  return vmId ?? vm ?? instanceId?.slice('i-'.length) ?? '';
}
