import type { Call } from '../../contract/call.js';
import type { ContractKind, MethodFacts } from '../../contract/method-facts.js';
import type { ErrorCode } from '../../errors.js';

/** A contract method as the layers see it: they pass requests and answers through and look at neither. */
export type Method = (call: Call, request: unknown) => Promise<unknown>;

/** How an attempt of a call ended, for metrics; never its request or answer. */
export interface CallRecord {
  readonly instance: string;
  readonly kind: ContractKind;
  readonly method: string;
  readonly operationId: string;
  readonly durationMs: number;
  /** null: it succeeded. */
  readonly code: ErrorCode | null;
  /** True when its time limit was over, or its caller had gone, before it ended. */
  readonly aborted: boolean;
}

/** Pauses between attempts: `firstPauseMs`, then three times the one before. */
export interface RetryOptions {
  /** Attempts after the first. */
  readonly retries: number;
  readonly firstPauseMs: number;
}

export interface LayerOptions {
  /** Milliseconds by method name, in place of those of the method facts. */
  readonly timeLimits?: Readonly<Record<string, number>>;
  /** How long a call may take to settle after its signal was aborted, in milliseconds; 5,000 unless told. */
  readonly graceMs?: number;
  readonly retry?: RetryOptions;
  /** Is told of each attempt's end. */
  readonly onCall?: (record: CallRecord) => void;
  /** Holds each call that the plugin has not settled yet, those that were given up too. */
  readonly running?: Set<Promise<unknown>>;
}

/** The method that a layer is put around. */
export interface LayeredMethod {
  readonly instance: string;
  readonly kind: ContractKind;
  readonly method: string;
  readonly facts: MethodFacts;
  readonly capabilities: ReadonlySet<string>;
  readonly options: LayerOptions;
}

/** One common behaviour, put around a method. */
export type Layer = (next: Method, about: LayeredMethod) => Method;
