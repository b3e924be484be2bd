import { createRequire } from 'node:module';
import type { Schema } from '@vbs/core';

/** The plugin's own keys, as config.schema.json admits them. */
export interface FileConfig {
  /** The pool's directory; it belongs to one backend of one store. */
  readonly directory: string;
}

export const configSchema: Schema<FileConfig> = createRequire(import.meta.url)('../config.schema.json');
