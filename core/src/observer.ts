import type { Logger } from './contract/call.js';
import type { ErrorCode } from './errors.js';
import type { CallRecord } from './plugin/layers/index.js';

/** How one act of a step ended. */
export interface StepRecord {
  readonly operationId: string;
  /** `create-volume`, … */
  readonly kind: string;
  readonly step: string;
  readonly act: 'do' | 'undo';
  readonly outcome: 'done' | 'failed' | 'unknown';
  readonly durationMs: number;
}

/** An operation that ended, or could not be ended for now (`stuck`: it is told again after each further try). */
export interface OperationEnd {
  readonly operationId: string;
  readonly kind: string;
  readonly state: 'succeeded' | 'failed' | 'stuck';
  /** null: it succeeded. */
  readonly code: ErrorCode | null;
  /** Since it was asked for. */
  readonly durationMs: number;
}

/** Is told how things ended, at once and in this process, for metrics; never a request or an answer. Must not block. */
export interface Observer {
  /** An attempt of a plugin's call. */
  onCall?(record: CallRecord): void;
  onStep?(record: StepRecord): void;
  onOperation?(record: OperationEnd): void;
}

/** What the workflows tell, where an observer's own faults are logged: whoever counts must not decide how an operation ends. */
export type WorkflowObserver = Required<Pick<Observer, 'onStep' | 'onOperation'>>;

export function workflowObserver(observer: Observer, log: Logger): WorkflowObserver {
  const guarded = <R>(tell: (record: R) => void) => {
    return (record: R): void => {
      try {
        tell(record);
      } catch (error) {
        log.error({ err: error }, 'the observer of the workflows failed');
      }
    };
  };
  return {
    onStep: guarded((record) => observer.onStep?.(record)),
    onOperation: guarded((record) => observer.onOperation?.(record)),
  };
}
