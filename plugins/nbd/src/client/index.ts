/** A small NBD client: what a hypervisor that opens NBD by itself needs. */
export { type NbdConnectOptions, type NbdServerAddress, parseNbdUri } from './address.js';
export { NbdClient, type NbdExportFacts } from './nbd-client.js';
