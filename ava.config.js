import { availableParallelism } from 'node:os';

/** Many tests wait most of their time. A process of its own for each file: tools start faster from a small one. */
export default {
  files: ['test/dist/**/*.test.js', '!test/dist/lab/**'],
  timeout: '3m',
  workerThreads: false,
  concurrency: Math.ceil(availableParallelism() * 1.5),
};
