import type { Test } from '@vbs/conformance';

/** How a kit's tests ended, by title. */
export interface KitRun {
  readonly passed: readonly string[];
  readonly failed: ReadonlyMap<string, Error>;
}

const atOnce = 6;

/** Runs what a kit registers, as far as its titles are wanted, with a runner that only collects. */
export async function runKit(register: (test: Test) => void, wanted: (title: string) => boolean = () => true): Promise<KitRun> {
  const bodies: { readonly title: string; readonly body: () => Promise<void> }[] = [];
  register((title, body) => {
    if (wanted(title)) bodies.push({ title, body });
  });
  const passed: string[] = [];
  const failed = new Map<string, Error>();
  const runner = async (): Promise<void> => {
    for (let next = bodies.shift(); next !== undefined; next = bodies.shift()) {
      const { title, body } = next;
      await body().then(
        () => passed.push(title),
        (error: Error) => failed.set(title, error),
      );
    }
  };
  await Promise.all(Array.from({ length: atOnce }, runner));
  return { passed, failed };
}

/** The titles of the methods that the given titles are about: `createVolume › `. */
export function ofSameMethods(kind: string, titles: readonly string[]): (title: string) => boolean {
  const starts = titles.map((title) => `${kind} › ${title.split(' › ', 1)[0]} › `);
  return (title) => starts.some((start) => title.startsWith(start));
}
