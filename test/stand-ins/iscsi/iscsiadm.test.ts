import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { ToolResult } from '../frame/tool.js';
import { StandInIscsi } from './index.js';

const iqn = 'iqn.2026-11.lab:vol1';
const portal = '127.0.0.1:3260';
const target = ['-m', 'node', '-T', iqn, '-p', portal];

function newNode(t: ExecutionContext): {
  readonly iscsi: StandInIscsi;
  readonly run: (...args: string[]) => ToolResult;
  readonly root: string;
} {
  const root = mkdtempSync(join(tmpdir(), 'vbs-iscsiadm-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'etc/iscsi'), { recursive: true });
  const iscsi = new StandInIscsi(root);
  const made = iscsi.addTarget(iqn, [portal]);
  made.addLun(1, { file: join(root, 'vol1.img'), serial: 'vol1', sizeBytes: 104_857_600 });
  made.chap = { user: 'labuser', password: 'labsecret123' };
  return { iscsi, root, run: (...args) => iscsi.tools.iscsiadm?.({ args, input: '', root }) as ToolResult };
}

test('the stand-in iscsiadm › answers as the real one in captures/t3-iscsi.txt', (t) => {
  const { run } = newNode(t);
  t.deepEqual(run('-m', 'discovery', '-t', 'sendtargets', '-p', portal), { stdout: `127.0.0.1:3260,1 ${iqn}\n` });
  const set = (key: string, value: string) => run(...target, '--op', 'update', '-n', `node.session.auth.${key}`, '-v', value);
  t.deepEqual(set('authmethod', 'CHAP'), {});
  t.deepEqual(set('username', 'labuser'), {});
  t.deepEqual(set('password', 'wrongwrong12'), {});
  t.deepEqual(run(...target, '--login'), {
    exitCode: 24,
    stdout: `Logging in to [iface: default, target: ${iqn}, portal: 127.0.0.1,3260]\n`,
    stderr: [
      `iscsiadm: Could not login to [iface: default, target: ${iqn}, portal: 127.0.0.1,3260].`,
      'iscsiadm: initiator reported error (24 - iSCSI login failed due to authorization failure)',
      'iscsiadm: Could not log into all portals\n',
    ].join('\n'),
  });
  t.deepEqual(set('password', 'labsecret123'), {});
  t.deepEqual(run(...target, '--login'), {
    stdout: [
      `Logging in to [iface: default, target: ${iqn}, portal: 127.0.0.1,3260]`,
      `Login to [iface: default, target: ${iqn}, portal: 127.0.0.1,3260] successful.\n`,
    ].join('\n'),
  });
  t.deepEqual(run('-m', 'session'), { stdout: `tcp: [1] 127.0.0.1:3260,1 ${iqn} (non-flash)\n` });
  t.is(run(...target, '--login').exitCode, 15);
  t.deepEqual(run(...target, '--logout'), {
    stdout: [
      `Logging out of session [sid: 1, target: ${iqn}, portal: 127.0.0.1,3260]`,
      `Logout of [sid: 1, target: ${iqn}, portal: 127.0.0.1,3260] successful.\n`,
    ].join('\n'),
  });
  t.deepEqual(run(...target, '--op', 'delete'), {});
});

test('the stand-in iscsiadm › keeps static records as iscsiadm 2.1.8 does, and says of the absent what it says', (t) => {
  const { run, root, iscsi } = newNode(t);
  const none = (exitCode: number, text: string): ToolResult => ({ exitCode, stderr: `iscsiadm: ${text}\n` });
  t.deepEqual(run(...target, '--login'), none(21, 'No records found'));
  t.deepEqual(run(...target, '--logout'), none(21, 'No matching sessions found'));
  t.deepEqual(run('-m', 'session'), none(21, 'No active sessions.'));
  t.is(run('-m', 'session', '-r', '7', '--logout').exitCode, 22);
  for (let time = 0; time < 2; time++) {
    t.deepEqual(run(...target, '--op', 'new'), {
      stdout: `New iSCSI node [tcp:[hw=,ip=,net_if=,iscsi_if=default] 127.0.0.1,3260,-1 ${iqn}] added\n`,
    });
  }
  const record = readFileSync(join(root, 'etc/iscsi/nodes', iqn, '127.0.0.1,3260'), 'utf8');
  t.true(record.startsWith('# BEGIN RECORD 2.1.8\n') && record.endsWith('# END RECORD\n'));
  t.deepEqual(run('-m', 'node'), { stdout: `127.0.0.1:3260,4294967295 ${iqn}\n` });
  t.is(run(...target, '--bogus').exitCode, 7);
  iscsi.iscsid = false;
  t.is(run(...target, '--login').exitCode, 20);
});
