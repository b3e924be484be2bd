/** Lines that must not compile: each expected error is the mistake that the types catch. Nothing here runs. */
import { createContainer, inject, injectable, token } from '@vbs/core/di';

interface Clock {
  now(): number;
}
interface Named {
  readonly name: string;
}
const CLOCK = token<Clock>('clock');
const NAMED = token<Named>('named');

@injectable
export class Right {
  constructor(
    @inject(CLOCK) readonly clock: Clock,
    @inject(NAMED) readonly wider: { readonly name: string | number },
  ) {}
}

export class Wrong {
  constructor(
    // @ts-expect-error: the token's service is a Clock
    @inject(CLOCK) readonly named: Named,
    // @ts-expect-error: the parameter wants more than the service has
    @inject(NAMED) readonly narrower: Named & { readonly size: number },
  ) {}
}

// @ts-expect-error: a Clock's token is no token of another service
export const other: typeof NAMED = CLOCK;

const container = createContainer();
container.register(CLOCK, { useValue: { now: () => 1 } });
container.register(CLOCK, { useFactory: (resolver) => ({ now: () => resolver.resolve(NAMED).name.length }) });
// @ts-expect-error: not a Clock
container.register(CLOCK, { useValue: { name: 'x' } });
// @ts-expect-error: the class is no Clock
container.register(CLOCK, { useClass: Right });
// @ts-expect-error: the factory makes no Clock
container.register(CLOCK, { useFactory: () => ({ now: () => 'now' }) });
