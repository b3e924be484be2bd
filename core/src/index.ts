export * from './contract/index.js';
export * from './errors.js';
export type * from './machine/machine.js';
export type { CommandRunner, CommandSet, CommandValues } from './command/command-set.js';
export * from './plugin/define-plugin.js';
export type * from './plugin/instance.js';
export type { Schema } from './plugin/schema.js';
