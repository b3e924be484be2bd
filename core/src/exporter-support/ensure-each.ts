import { toVbsError, VbsError } from '../errors.js';

/** How many exports are made again at once: most daemons do one thing at a time, and other calls want commands of the machine too. */
const atOnce = 4;

/**
 * The body of `ensureExports`: makes each export again, at most 4 at once, and tries every one also after some have failed.
 * @throws the code of the first failure; message and `context.failures` name all that could not be made.
 */
export async function ensureEach<R extends { readonly exportId: string }>(
  requests: readonly R[],
  ensure: (request: R) => Promise<void>,
): Promise<void> {
  const failures: { readonly exportId: string; readonly error: VbsError }[] = [];
  const rest = [...requests];
  const work = async (): Promise<void> => {
    for (let request = rest.shift(); request !== undefined; request = rest.shift()) {
      try {
        await ensure(request);
      } catch (error) {
        failures.push({ exportId: request.exportId, error: toVbsError(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  const [first] = failures;
  if (first === undefined) return;
  const told = failures.map(({ exportId, error }) => ({ exportId, message: error.message }));
  const message = `not made again: ${told.map((one) => `${one.exportId} (${one.message})`).join('; ')}`;
  throw new VbsError(first.error.code, message, { resource: first.exportId, context: { failures: told }, cause: first.error });
}
