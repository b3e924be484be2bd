// Generated from schemas/configuration.schema.json by npm run generate: change that, not this.

/**
 * Where the store keeps its bookkeeping; an SQLite file vbs.sqlite beside the configuration unless told.
 */
export type ConfigurationDatabase = ConfigurationSqliteDatabase | ConfigurationPostgresDatabase;
/**
 * Where the tools run: local, the default, or another machine over SSH.
 */
export type ConfigurationMachine = 'local' | ConfigurationSshMachine;
/**
 * A command pattern, such as sudo -n xm block-attach <vmId> phy:<vmmDev> <vmDev> <mode>.
 */
export type ConfigurationCommandOverride = string | ConfigurationWithdrawingCommand;

/**
 * The configuration of a VBS store: what it runs on, and where its bookkeeping lies.
 */
export interface Configuration {
  /**
   * The version of this format; 1 unless told. A core refuses a version that is newer than it knows.
   */
  version?: 1;
  database?: ConfigurationDatabase;
  /**
   * Where this machine's locks, guards and records of long-running commands lie. A relative path starts at the configuration file's folder. The folder of the SQLite file unless told; needed with PostgreSQL.
   */
  stateDirectory?: string;
  /**
   * What the CHAP passwords of exports are derived from, at least 32 characters. Without it one is drawn into the file master.key of the state directory when an exporter first needs it. It must stay the same for the life of the store, and be the same for every process of it.
   */
  masterKey?: EnvironmentSecret | FileSecret;
  /**
   * The plugins that the instances below name: packages, or paths that begin with ./, ../ or / (relative ones start at the configuration file's folder).
   *
   * Items: The name of a package, or a path.
   */
  plugins?: string[];
  /**
   * The machines that hold storage and export it, by name.
   */
  volumeServers?: {
    [k: string]: ConfigurationVolumeServer;
  };
  /**
   * The machines that run virtual machines, by name. The name is the VMM host that attach-volume takes.
   */
  vmmNodes?: {
    [k: string]: ConfigurationVmmNode;
  };
  /**
   * What turns a cloud's instance id into a VMM host and a VM id, by name.
   */
  resolvers?: {
    [k: string]: ConfigurationInstance;
  };
}
/**
 * An SQLite file, for the processes of one machine.
 */
export interface ConfigurationSqliteDatabase {
  /**
   * SQLite.
   */
  client: 'sqlite3';
  /**
   * The file; a relative path starts at the configuration file's folder. It is made when it is missing.
   */
  filename: string;
}
/**
 * A PostgreSQL database, for processes of several machines.
 */
export interface ConfigurationPostgresDatabase {
  /**
   * PostgreSQL.
   */
  client: 'pg';
  /**
   * A connection string (postgres://user@host/database); a secret when it holds a password.
   */
  connection: string | EnvironmentSecret | FileSecret;
}
/**
 * { env: NAME }, a secret from an environment variable
 */
export interface EnvironmentSecret {
  /**
   * The name of the variable.
   */
  env: string;
}
/**
 * { file: path }, a secret from a file that only its owner can read; one line end at its end is not part of it
 */
export interface FileSecret {
  /**
   * The file; a relative path starts at the configuration file's folder.
   */
  file: string;
}
/**
 * A machine that holds storage and exports it.
 */
export interface ConfigurationVolumeServer {
  machine?: ConfigurationMachine;
  /**
   * Its pools of storage, by name.
   */
  backends?: {
    [k: string]: ConfigurationInstance;
  };
  /**
   * What makes its volumes reachable, by name; the first that fits a VMM node is taken.
   */
  exporters?: {
    [k: string]: ConfigurationInstance;
  };
}
/**
 * { ssh: { host: name } }
 */
export interface ConfigurationSshMachine {
  /**
   * How OpenSSH reaches the machine; everything else stands in ~/.ssh/config.
   */
  ssh: {
    /**
     * A host as ssh takes it, such as vs1 or admin@vs1, without spaces and not beginning with a hyphen.
     */
    host: string;
    /**
     * ssh's configuration file in place of ~/.ssh/config and the system's; a relative path starts at the configuration file's folder.
     */
    configFile?: string;
    /**
     * The folder on that machine for guards and records, on a file system that survives a boot. /var/lib/vbs for root, ~/.local/state/vbs for others unless told; every process that changes something there must use the same.
     */
    stateDirectory?: string;
  };
}
/**
 * One configured instance of a plugin. Keys beside those below are the plugin's own; { env: NAME } or { file: path } stands for a secret in any of them, at any depth.
 */
export interface ConfigurationInstance {
  /**
   * The name of the plugin, as its manifest says.
   */
  plugin: string;
  /**
   * The backend that a volume goes to when nobody says another. Only for backends, and only for one of all.
   */
  default?: boolean;
  /**
   * An exporter without acl, chap or tls may serve beyond loopback: everybody on that network can then read and write the volumes.
   */
  openNetwork?: boolean;
  /**
   * Command patterns that replace the plugin's own, by their name.
   */
  commands?: {
    [k: string]: ConfigurationCommandOverride;
  };
  /**
   * Time limits in milliseconds that replace the core's own, by the method's name.
   */
  timeLimits?: {
    /**
     * Milliseconds.
     */
    [k: string]: number;
  };
  [k: string]: unknown;
}
/**
 * { pattern, withdraws }
 */
export interface ConfigurationWithdrawingCommand {
  /**
   * The command pattern.
   */
  pattern: string;
  /**
   * The capabilities that the instance loses because the pattern leaves a placeholder out.
   *
   * Items: A capability, such as read-only.
   */
  withdraws?: string[];
}
/**
 * A machine that runs virtual machines.
 */
export interface ConfigurationVmmNode {
  machine?: ConfigurationMachine;
  /**
   * Other names of the node, as a cloud or a caller may use.
   *
   * Items: A host name.
   */
  hostnames?: string[];
  /**
   * What turns connections into local block devices, by name.
   */
  initiators?: {
    [k: string]: ConfigurationInstance;
  };
  hypervisor: ConfigurationInstance;
}
