export type { GuestKind } from './kinds.js';
export type { Domu, DomuOptions } from './lab/domu.js';
export { Guest } from './lab/guest.js';
export type { WantedGuests } from './lab/guest-names.js';
export { Lab, type LabOptions, type StandingOptions } from './lab/lab.js';
export { XenGuest } from './lab/xen-guest.js';
