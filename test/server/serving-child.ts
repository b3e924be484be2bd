import { defaultConfiguration } from '@vbs/core';
import { serve } from '@vbs/server';

/** Serves the embedded default of a folder until it is killed. */
const running = await serve({ configuration: defaultConfiguration({ dataDirectory: String(process.argv[2]), port: 0 }) });
process.stdout.write(`${JSON.stringify({ url: running.url, socket: running.socket })}\n`);
