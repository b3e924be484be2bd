import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';

/** The user `nobody`, as options of a child process: what root may write, it may not. */
export const nobody = { uid: 65534, gid: 65534 } as const;

/** Whether a child can become the user nobody and still read this checkout. */
const nobodyWorks =
  process.getuid?.() === 0 &&
  spawnSync(process.execPath, ['-e', 'require("node:fs").accessSync(process.argv[1])', fileURLToPath(import.meta.url)], {
    ...nobody,
    timeout: 10_000,
  }).status === 0;

/** For tests that start a child as {@link nobody}. */
export const testAsNobody = nobodyWorks ? test : test.skip;

/** The title of such a test, with the reason where it is skipped. */
export const asNobody = (text: string) =>
  `${text} (${nobodyWorks ? 'as nobody' : 'skipped: needs root, and a checkout that nobody can read'})`;
