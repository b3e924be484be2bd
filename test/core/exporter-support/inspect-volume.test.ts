import { type Call, VbsError } from '@vbs/core';
import { type InspectionTools, inspectVolume } from '@vbs/core/exporter-support';
import test from 'ava';

const call = {} as Call;

/** Tools whose stat answers this, on a machine with one block device, 253:17 of 2048 sectors. */
function toolsOf(stat: string | VbsError): InspectionTools {
  return {
    commands: {
      run: async () => {
        if (stat instanceof VbsError) throw stat;
        return { stdout: stat };
      },
    },
    machine: {
      readFile: async (_call, path) => {
        if (path !== '/sys/dev/block/253:17/size') throw new VbsError('NOT_FOUND', path);
        return '2048\n';
      },
    },
  };
}

const statFailed = (stderr: string) => new VbsError('INTERNAL', 'stat ended with 1', { context: { exitCode: 1, stderr } });

test('inspectVolume › a file has its whole sectors', async (t) => {
  t.is(await inspectVolume(call, toolsOf('81a4:1300:0:0\n'), { kind: 'file', path: '/v' }, 'tgtd'), 1024);
});

test('inspectVolume › a block device has what sysfs says, by its hexadecimal numbers', async (t) => {
  t.is(await inspectVolume(call, toolsOf('61b0:0:fd:11\n'), { kind: 'block', path: '/dev/v' }, 'tgtd'), 1_048_576);
});

interface Refusal {
  readonly stat: string | VbsError;
  readonly kind?: 'file' | 'block';
  readonly path?: string;
  readonly code: string;
  readonly message: RegExp;
}

const refuses = test.macro<[refusal: Refusal]>({
  exec: async (t, { stat, kind = 'file', path = '/v', code, message }) => {
    const error = await t.throwsAsync(inspectVolume(call, toolsOf(stat), { kind, path }, 'tgtd'), { message });
    t.like(error, { code });
  },
  title: (what) => `inspectVolume › refuses ${what}`,
});

const file = '81a4:1024:0:0';
test('a directory', refuses, { stat: '41ed:4096:0:0', code: 'INVALID_ARGUMENT', message: /is not a regular file/ });
test('a file in place of a device', refuses, { stat: file, kind: 'block', code: 'INVALID_ARGUMENT', message: /is not a block device/ });
test('a relative path', refuses, { stat: file, path: 'v', code: 'INVALID_ARGUMENT', message: /must be absolute/ });
test('a comma, naming who would cut there', refuses, {
  stat: file,
  path: '/a,b',
  code: 'INVALID_ARGUMENT',
  message: /at which tgtd would cut it/,
});
test('what is not there', refuses, {
  stat: statFailed("stat: '/v': No such file or directory"),
  code: 'NOT_FOUND',
  message: /leads nowhere/,
});
test('what this user may not see', refuses, {
  stat: statFailed('Permission denied'),
  code: 'PERMISSION_DENIED',
  message: /may not look/,
});
test('to guess what another failure means', refuses, { stat: statFailed('I/O error'), code: 'INTERNAL', message: /ended with 1/ });
