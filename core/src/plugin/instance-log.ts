import type { Logger } from '../contract/call.js';

/** A logger that says with each line which instance it is about. */
export function instanceLog(log: Logger, instance: string): Logger {
  return {
    debug: (fields, message) => log.debug({ instance, ...fields }, message),
    info: (fields, message) => log.info({ instance, ...fields }, message),
    warn: (fields, message) => log.warn({ instance, ...fields }, message),
    error: (fields, message) => log.error({ instance, ...fields }, message),
  };
}
