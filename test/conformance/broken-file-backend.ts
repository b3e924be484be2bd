import { volumeBackendConformance } from '@vbs/conformance';
import filePlugin from '@vbs/plugin-file';
import test from 'ava';
import { breakPlugin, type Defect } from './break-plugin.js';
import { fileIo } from './file-io.js';
import { ofSameMethods, runKit } from './run-kit.js';

/** Of the kit's volumes. */
export const sizeBytes = 256 * 1024;
export const settleLimitMs = 2_000;

/** Runs the kit on the file backend with a defect. */
export function run(defect: Defect<'volumeBackend'>, wanted?: (title: string) => boolean) {
  const plugin = breakPlugin(filePlugin, 'volumeBackend', defect);
  const setup = { config: (directory: string) => ({ directory }), io: fileIo, sizeBytes, settleLimitMs };
  return runKit((collect) => volumeBackendConformance(collect, plugin, setup), wanted);
}

/** A backend with the defect fails exactly these of the tests of their methods. */
export const caught = test.macro({
  title: (told, ...[titles]: readonly [readonly string[], Defect<'volumeBackend'>]) =>
    `volumeBackendConformance › ${told}: caught by ${titles[0]}`,
  exec: async (t, titles: readonly string[], defect: Defect<'volumeBackend'>) => {
    t.timeout(120_000);
    const { failed } = await run(defect, ofSameMethods('volumeBackend', titles));
    t.deepEqual([...failed.keys()].sort(), titles.map((title) => `volumeBackend › ${title}`).sort());
  },
});
