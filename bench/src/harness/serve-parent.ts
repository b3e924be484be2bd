/** What a program that `startProgram` started serves. */
export interface Served<R> {
  /** Told to the parent once it can be used. */
  readonly ready: R;
  close(): Promise<void>;
}

/** Runs a program of its own process for the one that forked it, until that hangs up, or is gone. */
export async function serveParent<A, R>(open: (argument: A) => Promise<Served<R>>): Promise<void> {
  const [, , argument = '{}'] = process.argv;
  const goneAlready = new Promise<void>((resolve) => process.once('disconnect', resolve));
  const served = await open(JSON.parse(argument) as A);
  process.send?.(served.ready);
  await goneAlready;
  await served.close();
}
