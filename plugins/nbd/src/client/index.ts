/** A small NBD client: what a hypervisor that opens NBD by itself needs. */
export {
  formatNbdUri,
  type NbdClientTls,
  type NbdConnectOptions,
  type NbdEndpoint,
  type NbdServerAddress,
  type NbdTarget,
  parseNbdUri,
} from './address.js';
export { NbdClient, type NbdExportFacts } from './nbd-client.js';
