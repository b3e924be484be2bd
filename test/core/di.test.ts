import { isVbsError, VbsError } from '@vbs/core';
import { createContainer, inject, injectable, token } from '@vbs/core/di';
import test from 'ava';

interface Clock {
  now(): number;
}
const CLOCK = token<Clock>('test-clock');
const ENGINE = token<Engine>('test-engine');
const OTHER = token<object>('test-other');

@injectable
class Engine {
  constructor(@inject(CLOCK) readonly clock: Clock) {}
}

const clock = { now: () => 1 };

test('container › gives a class what its parameters name, and makes each service once', (t) => {
  const container = createContainer();
  container.register(ENGINE, { useClass: Engine });
  container.register(CLOCK, { useValue: clock });
  t.is(container.resolve(ENGINE).clock, clock);
  t.is(container.resolve(ENGINE), container.resolve(ENGINE));
});

test('container › makes what a factory makes once, with what the factory asks for', (t) => {
  const container = createContainer();
  let made = 0;
  container.register(CLOCK, { useValue: clock });
  container.register(ENGINE, {
    useFactory: (resolver) => {
      made++;
      return new Engine(resolver.resolve(CLOCK));
    },
  });
  t.is(container.resolve(ENGINE), container.resolve(ENGINE));
  t.is(container.resolve(ENGINE).clock, clock);
  t.is(made, 1);
});

test('container › two containers live side by side and share nothing', (t) => {
  const [one, other] = [createContainer(), createContainer()];
  for (const container of [one, other]) container.register(ENGINE, { useClass: Engine });
  one.register(CLOCK, { useValue: clock });
  const later = { now: () => 2 };
  other.register(CLOCK, { useValue: later });
  t.not(one.resolve(ENGINE), other.resolve(ENGINE));
  t.is(one.resolve(ENGINE).clock, clock);
  t.is(other.resolve(ENGINE).clock, later);
  one.register(OTHER, { useValue: {} });
  t.throws(() => other.resolve(OTHER), { message: /test-other/ });
});

test('container › a service can be replaced until it was given out', (t) => {
  const container = createContainer();
  container.register(CLOCK, { useValue: { now: () => 0 } });
  container.register(CLOCK, { useValue: clock });
  t.is(container.resolve(CLOCK), clock);
  t.throws(() => container.register(CLOCK, { useValue: clock }), { instanceOf: TypeError, message: /vbs:test-clock was given out/ });
});

test('container › a service that nobody registered is an error that names it', (t) => {
  const container = createContainer();
  container.register(ENGINE, { useClass: Engine });
  t.throws(() => container.resolve(ENGINE), { message: /vbs:test-clock/ });
});

test('container › what a service throws arrives as it was thrown', (t) => {
  const container = createContainer();
  container.register(ENGINE, { useClass: Engine });
  container.register(CLOCK, {
    useFactory: () => {
      throw new VbsError('UNAVAILABLE', 'no clock here');
    },
  });
  const error = t.throws(() => container.resolve(ENGINE));
  t.true(isVbsError(error) && error.code === 'UNAVAILABLE');
});

test('container › services that need each other in a circle are an error that shows it', (t) => {
  const container = createContainer();
  container.register(ENGINE, { useClass: Engine });
  container.register(CLOCK, {
    useFactory: (resolver) => {
      resolver.resolve(ENGINE);
      return clock;
    },
  });
  t.throws(() => container.resolve(ENGINE), {
    instanceOf: TypeError,
    message: /circle: vbs:test-engine → vbs:test-clock → vbs:test-engine/,
  });
});

test('injectable › refuses a parameter without inject', (t) => {
  class Half {
    constructor(
      @inject(CLOCK) readonly clock: Clock,
      readonly other: Clock,
    ) {}
  }
  t.throws(() => injectable(Half), { instanceOf: TypeError, message: /Parameter 2 of the constructor of Half/ });
});
