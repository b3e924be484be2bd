import { createSandbox } from './create-sandbox.js';

export type { InstanceEntry, SandboxConfig, StaticResolverConfig, VmConfig } from './config.js';
export { createSandbox, type Sandbox } from './create-sandbox.js';
export type { GuestDisk, SandboxVm } from './guest.js';

export default createSandbox().plugin;
