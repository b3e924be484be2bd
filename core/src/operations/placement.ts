import type { OpenedBackend } from '../delegate/delegate.js';
import { VbsError } from '../errors.js';

/** Chooses the backend of a new volume that names none. */
export interface Placement {
  choose(request: { readonly sizeBytes: number }, backends: readonly OpenedBackend[]): Promise<OpenedBackend>;
}

/** The backend that the configuration calls the default, or the only one. */
export const defaultPlacement: Placement = {
  async choose(_request, backends) {
    const [only, ...others] = backends;
    const chosen = backends.find((backend) => backend.isDefault) ?? (others.length === 0 ? only : undefined);
    if (chosen !== undefined) return chosen;
    const names = backends.map(({ name }) => name);
    throw new VbsError(
      'FAILED_PRECONDITION',
      `no backend is the default: name one of ${names.join(', ') || '(none is configured)'}, or set "default: true" on one`,
      {
        context: { field: 'backend', backends: names },
      },
    );
  },
};
