export * from './cloud-resolver/index.js';
export * from './hypervisor/index.js';
export * from './initiator/index.js';
export type { Bytes } from './kit/bytes.js';
export type { CommonSetup, Providing, Surroundings } from './kit/setup.js';
export type { Test } from './kit/test.js';
export { type ScriptedFault, type ScriptedMachine, type ScriptedStep, scriptedMachine } from './scripted-machine.js';
export * from './target-exporter/index.js';
export * from './volume-backend/index.js';
