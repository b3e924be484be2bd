import { type ErrorCode, VbsError } from '../../errors.js';

interface Cause {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly advice: string;
}

/** What ssh says when it cannot connect (its messages have no codes), and what is to be done. The first that fits counts. */
const causes: readonly Cause[] = [
  {
    pattern: /REMOTE HOST IDENTIFICATION HAS CHANGED|host key for .* has changed/i,
    code: 'FAILED_PRECONDITION',
    advice:
      'its host key is not the one in known_hosts. Another machine may answer in its place: find out why; only if it was set up anew, remove the old key with ssh-keygen -R.',
  },
  {
    pattern: /Host key verification failed|No \S+ host key is known/i,
    code: 'FAILED_PRECONDITION',
    advice: 'its host key is not known. Connect once by hand as the user that VBS runs as, compare the key, and keep it in known_hosts.',
  },
  {
    pattern: /Permission denied|Too many authentication failures|no such identity/i,
    code: 'PERMISSION_DENIED',
    advice:
      'it lets nobody in with the keys that were offered. Give it the public key of the user that VBS runs as; the private key must need no passphrase, or be in an agent.',
  },
  {
    pattern: /Bad configuration option|Can't open user config|terminating, \d+ bad configuration|Bad owner or permissions/i,
    code: 'FAILED_PRECONDITION',
    advice: "ssh's own configuration is not legal. Mend the file that the message names.",
  },
  {
    pattern: /Could not resolve hostname|Name or service not known|Temporary failure in name resolution/i,
    code: 'UNAVAILABLE',
    advice: "its address is not known. Look at the name and at DNS, or set HostName in ssh's configuration.",
  },
  {
    pattern: /Connection refused/i,
    code: 'UNAVAILABLE',
    advice: "nothing listens there. Start sshd on it, or set Port in ssh's configuration.",
  },
  {
    pattern: /timed out|No route to host|Network is unreachable/i,
    code: 'UNAVAILABLE',
    advice: 'it does not answer. See whether it runs, and whether the network and its firewall let ssh through.',
  },
];

const unknownCause = { code: 'UNAVAILABLE', advice: 'the connection ended before it was usable. Try ssh by hand.' } as const;

/** No connection to a machine could be made; nothing was run on it. `said` is what ssh wrote. */
export function connectError(host: string, said: string): VbsError {
  const { code, advice } = causes.find(({ pattern }) => pattern.test(said)) ?? unknownCause;
  const lines = said.split(/\r?\n/).filter((line) => line.trim() !== '' && !/^@+/.test(line));
  const message = `No connection to the machine ${host}: ${advice}`;
  return new VbsError(code, message, { context: { host, stderr: lines.join('\n').slice(-2_000) } });
}
