import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Guest, Lab } from '@vbs/lab';
import test, { type ExecutionContext } from 'ava';
import { StandInIscsi } from '../stand-ins/iscsi/index.js';
import { differing, type Said, type Typed, typed } from './support/typed.js';

let lab: Lab;
test.before(async () => {
  lab = await Lab.up({ guests: ['vs1', 'node1'] });
});
test.after.always(async () => await lab?.close());

const iqn = 'iqn.2009-11.edu.iu.vbs:lines';
const secret = 'labsecret123456';
const sizeBytes = 4_194_304;

/** The session's number there and here, and its disk, which only the moment tells. */
const sid: Typed = { shell: '"$(sid)"' };
const disk: Typed = { shell: '"$(disk)"' };
const prelude = `
  sid() { for s in /sys/class/iscsi_session/session[0-9]*; do test ! -e "$s" || basename "$s" | tr -dc 0-9 >/tmp/lines.sid; done; cat /tmp/lines.sid; }
  disk() { readlink -f /dev/disk/by-path/*-iscsi-${iqn}-lun-1; }
  appeared() { for i in $(seq 200); do test -b /dev/disk/by-path/*-iscsi-${iqn}-lun-1 && return; sleep 0.05; done; return 1; }
  scan() { printf '0 0 1' | tee /sys/class/iscsi_session/session$(sid)/device/../scsi_host/host*/scan /dev/null >/dev/null; }`;

type Line = readonly (string | Typed)[];
const words = (line: string): Line => line.split(' ').map((word) => ({ '<sid>': sid, '<disk>': disk })[word] ?? word);

/** One after the other, to the portal `@`; nobody listens on `@closed`. */
const lines: readonly Line[] = [
  words('iscsiadm -m session'),
  words(`iscsiadm -m node -T ${iqn} -p @ --login`),
  words(`iscsiadm -m node -T ${iqn} -p @ --logout`),
  words(`iscsiadm -m node -T ${iqn} -p @ --op delete`),
  words('iscsiadm -m discovery -t sendtargets -p @'),
  words(`iscsiadm -m node -T ${iqn} -p @ --op delete`),
  words(`iscsiadm -m node -T ${iqn} -p @ --op new`),
  words(`iscsiadm -m node -T ${iqn} -p @ --op new`),
  words('iscsiadm -m node'),
  words(`iscsiadm -m node -T ${iqn} -p @ --op update -n node.session.scan -v manual`),
  words(`iscsiadm -m node -T ${iqn} -p @ --op update -n node.session.auth.authmethod -v CHAP`),
  words(`iscsiadm -m node -T ${iqn} -p @ --op update -n node.session.auth.username -v lab`),
  words(`iscsiadm -m node -T ${iqn} -p @ --op update -n node.session.auth.password -v wrongwrong1234`),
  words(`iscsiadm -m node -T ${iqn} -p @ --op update -n node.bogus -v x`),
  words(`iscsiadm -m node -T ${iqn} -p @ --login`),
  words(`iscsiadm -m node -T ${iqn} -p @ --op update -n node.session.auth.password -v ${secret}`),
  words(`iscsiadm -m node -T ${iqn} -p @ --login`),
  words(`iscsiadm -m node -T ${iqn} -p @ --login`),
  words('iscsiadm -m session'),
  words(`iscsiadm -m node -T ${iqn} -p @ --op delete`),
  words('iscsiadm -m session -r 4711 --logout'),
  ['scan'],
  ['appeared'],
  words('blockdev --getsize64 <disk>'),
  words('blockdev --flushbufs <disk>'),
  words('blockdev --flushbufs /dev/sdzz'),
  words('iscsiadm -m session -r <sid> --logout'),
  words('iscsiadm -m session -r <sid> --logout'),
  words(`iscsiadm -m node -T ${iqn} -p @ --logout`),
  words(`iscsiadm -m node -T ${iqn} -p @ --op delete`),
  words(`iscsiadm -m node -T ${iqn} -p @ --op delete`),
  // What is not there, and what is no command line.
  words(`iscsiadm -m node -T ${iqn}-none -p @ --op new`),
  words(`iscsiadm -m node -T ${iqn}-none -p @ --login`),
  words(`iscsiadm -m node -T ${iqn}-none -p @ --op delete`),
  words(`iscsiadm -m node -T ${iqn} -p @ --bogus`),
  words('iscsiadm -m bogus'),
  words('iscsiadm'),
  words('cat /etc/iscsi/nodes/none'),
  words('readlink -f /dev/none/none'),
];

test('stand-in iscsiadm › answers every command line as iscsiadm, blockdev, cat and readlink of a guest do', async (t) => {
  t.timeout(240_000);
  const portal = await makeTarget(t, lab.guest('vs1'));
  const here = lines.map((line) => line.map((word) => (typeof word === 'string' && word === '@' ? portal : word)));
  const said = await typed(lab.guest('node1'), here, prelude);
  const stood = await standIn(t, portal, here);
  t.deepEqual(differing(here, stood, said, comparable), []);
});

async function makeTarget(t: ExecutionContext, server: Guest): Promise<string> {
  const portal = `${server.address}:4901`;
  const adm = 'tgtadm -C 91 --lld iscsi';
  t.teardown(async () => void (await server.script('kill -KILL $(cat /tmp/lines.pid) 2>/dev/null || true; rm -f /tmp/lines.*')));
  await server.script(`
    truncate -s ${sizeBytes} /tmp/lines.img
    setsid tgtd -f -C 91 -t 1 --iscsi portal=${portal} </dev/null >/tmp/lines.log 2>&1 &
    echo $! >/tmp/lines.pid
    for i in $(seq 200); do ${adm} --op show --mode target >/dev/null 2>&1 && break; sleep 0.05; done
    ${adm} --op new --mode target --tid 1 -T ${iqn}
    ${adm} --op new --mode account --user lab --password ${secret}
    ${adm} --op bind --mode account --tid 1 --user lab
    ${adm} --op new --mode logicalunit --tid 1 --lun 1 -b /tmp/lines.img
    ${adm} --op bind --mode target --tid 1 -I ALL`);
  return portal;
}

/** The same lines, to the stand-in. */
async function standIn(t: ExecutionContext, portal: string, typedLines: readonly Line[]): Promise<readonly Said[]> {
  const root = await mkdtemp(join(tmpdir(), 'vbs-iscsi-lines-'));
  t.teardown(() => rm(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'etc/iscsi'), { recursive: true });
  const iscsi = new StandInIscsi(root);
  const target = iscsi.addTarget(iqn, [portal]);
  target.addLun(1, { file: join(root, 'lines.img'), serial: 'lines', sizeBytes });
  target.chap = { user: 'lab', password: secret };
  let lastSid = '';
  const answers: Said[] = [];
  for (const line of typedLines) {
    const session = [...iscsi.kernel.sessions.values()][0];
    lastSid = session === undefined ? lastSid : String(session.sid);
    if (line[0] === 'scan' && session !== undefined) iscsi.kernel.scan(session.host, 1);
    const isOfShell = line[0] === 'scan' || line[0] === 'appeared';
    const [tool = '', ...args] = line.map((word) => (typeof word === 'string' ? word : word === sid ? lastSid : '/dev/sda'));
    const answer = isOfShell ? {} : await iscsi.tools[tool]?.({ args, input: '', root });
    answers.push({ exitCode: 0, stdout: '', stderr: '', ...answer });
  }
  return answers;
}

/** Without the number that a session happened to get. */
function comparable({ exitCode, stdout, stderr }: Said): object {
  const plain = (text: string): readonly string[] => text.replaceAll(/\bsid(:?) \d+|tcp: \[\d+\]/g, 'N').split('\n');
  return { exitCode, stdout: plain(stdout), stderr: plain(stderr) };
}
