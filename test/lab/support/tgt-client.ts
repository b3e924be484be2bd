import type { ExportClient } from '@vbs/conformance';
import type { ChapCredentials, ConnectionInfo } from '@vbs/core';
import { bytesOf } from './node-client.js';
import type { GuestShells } from './node-client-shell.js';

/** Each session of one node with one target goes by an interface record of its own: by one, the second login would be the first. */
const interfaces = 16;

/** How long the kernel waits for a session that was lost before its I/O fails, in seconds. */
const lossSeconds = 5;

/** The kernel's initiator of a guest, driven by what an operator types. */
export class IscsiNode {
  readonly #shells: GuestShells;
  #drawn = 0;

  private constructor(shells: GuestShells) {
    this.#shells = shells;
  }

  /** Sets the defaults of new records, so that one login is few commands, and one that is refused is so soon. */
  static async prepare(shells: GuestShells): Promise<IscsiNode> {
    const settings = {
      'node.startup': 'manual',
      'node.session.scan': 'manual',
      'node.session.auth.authmethod': 'CHAP',
      'node.session.timeo.replacement_timeout': lossSeconds,
      'node.session.initial_login_retry_max': 1,
      'node.conn[0].timeo.login_timeout': 6,
    };
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}`);
    await shells.run(`
      printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')} >>/etc/iscsi/iscsid.conf
      for i in $(seq 0 ${interfaces - 1}); do
        iscsiadm -m iface -I vbs$i --op new >/dev/null
      done`);
    return new IscsiNode(shells);
  }

  /** `waitSeconds`: how long I/O waits for a session that was lost. @throws when it is not let in. */
  async connect(
    { iqn, portals: [portal], lun }: ConnectionInfo<'iscsi'>,
    chap?: ChapCredentials,
    { waitSeconds = lossSeconds } = {},
  ): Promise<ExportClient & { readonly disk: string }> {
    const shells = this.#shells;
    const node = `iscsiadm -m node -T ${iqn} -p ${portal} -I vbs${this.#drawn++ % interfaces}`;
    const account =
      chap === undefined
        ? '-n node.session.auth.authmethod -v None'
        : `-n node.session.auth.username -v ${chap.user} -n node.session.auth.password -v ${chap.password.reveal()}`;
    const leave = `${node} --logout >/dev/null || [ $? -eq 21 ]; ${node} -o delete || [ $? -eq 21 ]`;
    const said = await shells.run(`
      before=" $(ls /sys/class/iscsi_session | tr '\\n' ' ')"
      ${node} --op new >/dev/null
      ${node} -o update ${account} -n node.session.timeo.replacement_timeout -v ${waitSeconds}
      ${node} --login >/dev/null || { code=$?; ${node} -o delete; exit $code; }
      for session in /sys/class/iscsi_session/*; do
        [[ $before != *" \${session##*/} "* && $(<$session/targetname) = '${iqn}' ]] || continue
        device=$(readlink -f $session/device)
        host=\${device%/session*}; host=\${host##*/}
        echo '0 0 ${lun}' >/sys/class/scsi_host/$host/scan
        for i in {1..100}; do
          disk=$(echo $device/target*/*:${lun}/block/*)
          [ -b /dev/\${disk##*/} ] && break
          sleep 0.05
        done
        echo /dev/\${disk##*/} $(blockdev --getsize64 --getro /dev/\${disk##*/}); exit 0
      done
      echo 'there is no new session' >&2; exit 1`);
    const [disk = '', sizeBytes, readOnly] = said.trim().split(/\s+/);
    let isConnected = true;
    return {
      disk,
      ...bytesOf(shells, disk, { direct: true }),
      sizeBytes: Number(sizeBytes),
      readOnly: readOnly === '1',
      flush: async () => void (await shells.run(`sync ${disk}`)),
      disconnect: async () => {
        if (!isConnected) return;
        isConnected = false;
        await shells.run(leave);
      },
    };
  }
}

/** Starts a tgtd as an operator would, and waits until it answers. */
export async function startTgtd(
  shells: GuestShells,
  { portal, socket }: { readonly portal: string; readonly socket: string },
): Promise<void> {
  await shells.run(`
    export TGT_IPC_SOCKET=${socket}
    setsid tgtd -f -C 0 -t 2 --iscsi portal=${portal} </dev/null >/tmp/tgtd.log 2>&1 &
    for i in {1..200}; do tgtadm -C 0 --lld iscsi --op show --mode target >/dev/null 2>&1 && exit 0; sleep 0.05; done
    cat /tmp/tgtd.log >&2; exit 1`);
}
