import { type ExportRequest, Secret } from '@vbs/core';
import type { TgtConfig } from '@vbs/plugin-tgt';
import { call, openTgt } from './open-tgt.js';

/** Says that it is ready, and makes an export; whoever started it kills it meanwhile. */
const [, , directory = '', given = ''] = process.argv;
const { config, wanted } = JSON.parse(given) as { readonly config: TgtConfig; readonly wanted: ExportRequest<'file'> };
const opened = await openTgt(directory, config);
const chap = { user: wanted.exportId, password: new Secret(`secret-of-${wanted.exportId}`) };
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
await opened.contract.createExport(call(), { ...wanted, chap });
