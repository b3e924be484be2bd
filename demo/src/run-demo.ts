import { existsSync } from 'node:fs';
import { isVbsError } from '@vbs/core';
import { figure2 } from './figure-2.js';
import { figure3 } from './figure-3.js';
import { openScene } from './open-scene.js';
import { type Output, Report } from './report.js';
import { type Hooks, Mismatch } from './scene.js';

export type { Output } from './report.js';
export type { Hooks } from './scene.js';

export interface DemoOptions {
  readonly out: Output;
  /** Colours and drawn lines. */
  readonly pretty: boolean;
  /** Ends the demo early; it cleans up all the same. */
  readonly signal: AbortSignal;
  readonly hooks?: Hooks;
}

/** Shows Figures 2 and 3 of the paper with real bytes. Answers whether everything was as it should be. */
export async function runDemo({ out, pretty, signal, hooks = {} }: DemoOptions): Promise<boolean> {
  const report = new Report(out, pretty);
  try {
    await runFigures(report, hooks, signal);
  } catch (error) {
    report.failure(signal.aborted ? 'Interrupted; everything was cleaned up.' : `The demo failed: ${told(error)}`);
    return false;
  }
  report.summary();
  report.success('Everything was as it should be, and nothing is left behind.');
  return true;
}

async function runFigures(report: Report, hooks: Hooks, signal: AbortSignal): Promise<void> {
  let directory: string;
  {
    await using opened = await openScene({ report, hooks, signal });
    directory = opened.directory;
    report.line(`VBS, the Virtual Block Store: volumes as files in ${directory}, NBD on 127.0.0.1, VMs vm1 and vm2`);
    await figure2(opened.scene);
    signal.throwIfAborted();
    await figure3(opened.scene);
    report.figure('Afterwards', 'Nothing is left.');
    await opened.scene.expectEmpty();
  }
  await report.step('no file is left, nothing listens', async () => checkNothingLeft(directory));
}

function checkNothingLeft(directory: string): void {
  if (existsSync(directory)) throw new Mismatch(`${directory} should be gone.`);
  if (process.getActiveResourcesInfo().includes('TCPServerWrap')) throw new Mismatch('A server still listens after the store was closed.');
}

function told(error: unknown): string {
  if (isVbsError(error)) return `${error.code}: ${error.message}`;
  if (isSuppressedError(error)) return `${told(error.suppressed)} Then cleaning up failed: ${told(error.error)}`;
  return error instanceof Error ? error.message : String(error);
}

/** What `await using` throws when cleaning up fails after a failure; Node.js 20 has no global class for it. */
function isSuppressedError(error: unknown): error is { readonly error: unknown; readonly suppressed: unknown } {
  return error instanceof Error && error.name === 'SuppressedError';
}
