export { createServer, type ServerOptions } from './create-server.js';
export { defaultLimits, type Limits } from './limits.js';
export { createMetrics, type Metrics } from './metrics/metrics.js';
export { type RunningServer, type ServeOptions, serve } from './serve.js';
