// Generated from schemas/credentials.schema.json by npm run generate: change that, not this.

/**
 * What an initiator needs beside the connection, to be let in by CHAP.
 */
export interface Credentials {
  /**
   * The export's id.
   */
  user: string;
  /**
   * The export's own secret.
   */
  password: string;
}
