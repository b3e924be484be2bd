import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS', 'PUT', 'PATCH']);

/** What is counted of HTTP; a route is its pattern, so that ids make no series. */
export class HttpMetrics {
  readonly #requests: Counter<'method' | 'route' | 'status'>;
  readonly #durations: Histogram<'method' | 'route'>;
  readonly #streams: Gauge;
  readonly #waits: Gauge;
  readonly #dropped: Counter;

  constructor(register: Registry) {
    const registers = [register];
    this.#requests = new Counter({
      name: 'vbs_http_requests_total',
      help: 'HTTP requests that were answered, by method, route and status.',
      labelNames: ['method', 'route', 'status'],
      registers,
    });
    this.#durations = new Histogram({
      name: 'vbs_http_request_duration_seconds',
      help: 'From the end of a request headers to the end of its answer, waits included, in seconds.',
      labelNames: ['method', 'route'],
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300],
      registers,
    });
    this.#streams = new Gauge({ name: 'vbs_event_streams', help: 'Open streams of events.', registers });
    this.#waits = new Gauge({ name: 'vbs_http_waits', help: 'Requests that wait for an operation.', registers });
    this.#dropped = new Counter({
      name: 'vbs_http_dropped_connections_total',
      help: 'Connections that were closed at once, being over the limit.',
      registers,
    });
  }

  answered(method: string, route: string, status: number, ms: number): void {
    const known = methods.has(method) ? method : 'other';
    this.#requests.inc({ method: known, route, status: String(status) });
    if (ms > 0) this.#durations.observe({ method: known, route }, ms / 1_000);
  }

  streams(open: number): void {
    this.#streams.set(open);
  }

  waits(waiting: number): void {
    this.#waits.set(waiting);
  }

  dropped(): void {
    this.#dropped.inc();
  }
}
