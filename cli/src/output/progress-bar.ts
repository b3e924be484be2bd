import { humanSize } from './sizes.js';

/** Shows how far a copy is; silent where nobody looks. */
export interface Progress {
  show(doneBytes: number, totalBytes: number): void;
  end(): void;
}

const silent: Progress = { show: () => undefined, end: () => undefined };

/** A bar on standard error when it is a terminal. */
export async function progressBar(stream: NodeJS.WriteStream, what: string): Promise<Progress> {
  if (stream.isTTY !== true) return silent;
  const { default: progress } = await import('cli-progress');
  const bar = new progress.SingleBar({
    stream,
    format: `${what} [{bar}] {percentage}% of {size}, {eta_formatted} left`,
    barCompleteChar: '=',
    barIncompleteChar: ' ',
    hideCursor: false,
    clearOnComplete: true,
    stopOnComplete: false,
    fps: 4,
    barsize: 24,
    gracefulExit: false,
  });
  let started = false;
  return {
    show(doneBytes, totalBytes) {
      const payload = { size: humanSize(totalBytes) };
      if (started) bar.update(doneBytes, payload);
      else bar.start(totalBytes, doneBytes, payload);
      started = true;
    },
    end() {
      if (started) bar.stop();
    },
  };
}
