import { VbsError } from '@vbs/core';

/** An account of a target: one that initiators log in with (`IncomingUser`), or one that the target shows them. */
export interface IetUser {
  readonly direction: 'IncomingUser' | 'OutgoingUser';
  readonly name: string;
}

/** What `ietadm --op show --tid=N --user` prints: an account a line, one that was added twice twice. @throws INTERNAL: something else. */
export function parseUsers(output: string): readonly IetUser[] {
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, direction, name] = /^(IncomingUser|OutgoingUser) (\S+)$/.exec(line) ?? [];
      if (name !== undefined && (direction === 'IncomingUser' || direction === 'OutgoingUser')) return { direction, name };
      // The line is not told: it could hold a password.
      throw new VbsError('INTERNAL', 'ietadm told the accounts of a target in a form that VBS does not know.');
    });
}
