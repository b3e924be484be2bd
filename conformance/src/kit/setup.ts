import type { ContractKind, Logger, Machine, Provides } from '@vbs/core';

/** A plugin's `provides` that has a provider of the kind. */
export type Providing<K extends ContractKind> = Provides & Required<Pick<Provides, K>>;

/** The surroundings of one test. */
export interface Surroundings {
  /** The instance's path of names. */
  readonly instance: string;
  /** An empty folder, removed after the test. */
  readonly directory: string;
  /** Does something when the test has ended and the instance is closed, last first; also when the test fails. */
  readonly atEnd: (act: () => Promise<unknown>) => void;
}

/** What every kit asks of a plugin's author. */
export interface CommonSetup<Config> {
  /**
   * The plugin's own keys of a fresh instance, whose pool or daemon is this test's alone. Called once for each test, and once more
   * with another folder where a test needs a pool that was never marked.
   */
  readonly config: (directory: string, surroundings: Surroundings) => Config | Promise<Config>;
  /** Command patterns that replace the plugin's own, by name, as the configuration's `commands` do: `xm` in place of `xl`, say. */
  readonly commands?: Readonly<Record<string, string>>;
  /** Where the plugin's tools run; the machine of this process unless told. */
  readonly machine?: (surroundings: Surroundings) => Machine;
  /** Set in the titles behind the kind, to tell two runs of one file apart: `volumeBackend (thin) › …`. */
  readonly label?: string;
  /** For one test, in milliseconds; 60,000 unless told. */
  readonly timeLimitMs?: number;
  /** How long a call may take to settle after its signal was aborted, in milliseconds; 5,000 unless told. */
  readonly settleLimitMs?: number;
  /** Where the plugin's log goes; nowhere unless told. */
  readonly log?: Logger;
}
