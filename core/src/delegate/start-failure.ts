import type { ConfigurationFault } from '../config/fault.js';
import { configInvalid } from '../config/fault.js';
import { VbsError } from '../errors.js';

/** What kept one instance from being opened; `path` is its JSON pointer in the configuration. */
export interface InstanceFailure {
  readonly name: string;
  readonly path: string;
  readonly error: VbsError;
}

/** The one error for everything that kept a store from being opened: a single failure as it is, or CONFIG_INVALID with all of it. */
export function startFailure(faults: readonly ConfigurationFault[], failures: readonly InstanceFailure[]): VbsError {
  const [first] = failures;
  if (first !== undefined && failures.length === 1 && faults.length === 0) return first.error;
  const all = [
    ...faults,
    ...failures.map(({ name, path, error }) => ({ path, message: `${name} could not be opened: ${error.code}: ${error.message}` })),
  ];
  const { code, message, context } = configInvalid('The configuration', all);
  return new VbsError(code, message, {
    context,
    ...(failures.length === 0 ? {} : { cause: new AggregateError(failures.map(({ error }) => error)) }),
  });
}
