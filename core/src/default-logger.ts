import { pino } from 'pino';
import type { Logger } from './contract/call.js';

/** Warnings and errors, as JSON lines on standard error; an embedder hands over its own as `services.logger`. */
export function defaultLogger(): Logger {
  return pino({ level: 'warn' }, pino.destination(2));
}
