/**
 * The environment variables from which configurations of this process have read secrets (`{ env: NAME }`): no tool that is started gets
 * them, since its environment can be read for as long as it runs.
 */
export const secretVariables: Set<string> = new Set();
