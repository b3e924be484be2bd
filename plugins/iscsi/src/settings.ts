import { resolve } from 'node:path/posix';
import { type IscsiConfig, iscsiDefaults } from './config.js';

/** The configuration of an instance, completed. */
export interface IscsiSettings extends Required<IscsiConfig> {
  /**
   * How long iscsiadm may take to log in. iscsid tries twice at most, by the node record: a login that is given up earlier could still
   * take effect after everybody has looked (safety B2).
   */
  readonly loginLimitMs: number;
}

export function settingsOf(config: IscsiConfig): IscsiSettings {
  const merged = { ...iscsiDefaults, ...config };
  const whole = { ...merged, nodesDirectory: resolve(merged.nodesDirectory) };
  return { ...whole, loginLimitMs: (3 * whole.loginTimeoutSeconds + 10) * 1000 };
}
