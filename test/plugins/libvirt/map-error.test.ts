import { type ErrorCode, VbsError } from '@vbs/core';
import { mapLibvirtError } from '@vbs/plugin-libvirt/internal/map-error.js';
import test from 'ava';

const qemu = "error: internal error: unable to execute QEMU command 'blockdev-add':";
const attach = 'error: Failed to attach device from /f.xml\n';

/** As virsh 9.0 with QEMU 7.2 has said it. */
const told: readonly (readonly [stderr: string, code: ErrorCode, reason?: string])[] = [
  ["error: failed to get domain 'nodom'\n\n", 'NOT_FOUND'],
  [
    "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/nonexist': No such file or directory\n",
    'UNAVAILABLE',
  ],
  [
    "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/var/run/libvirt/libvirt-sock': Permission denied\n",
    'PERMISSION_DENIED',
  ],
  ['error: Disconnected from qemu:///system due to end of file\n', 'UNAVAILABLE'],
  ['sudo: a password is required\n', 'PERMISSION_DENIED'],
  [`${attach}error: XML error: target 'vdd' duplicated for disk sources 'exp-1' and 'exp-1'\n`, 'FAILED_PRECONDITION', 'slot-taken'],
  [`${attach}error: Requested operation is not valid: target vdd already exists\n`, 'FAILED_PRECONDITION', 'slot-taken'],
  [`${attach}error: unsupported configuration: non unique alias detected: ua-att-00000000000000001\n`, 'FAILED_PRECONDITION', 'slot-taken'],
  [
    `${attach}error: Requested operation is not valid: Setting different DAC user or group on /dev/loop0 which is already in use\n`,
    'FAILED_PRECONDITION',
    'in-use',
  ],
  [
    `${attach}error: internal error: unable to execute QEMU command 'device_add': Failed to get "write" lock\n`,
    'FAILED_PRECONDITION',
    'in-use',
  ],
  [`${attach}error: Cannot access storage file '/dev/nope': No such file or directory\n`, 'FAILED_PRECONDITION', 'no-device'],
  [`${attach}${qemu} Requested export not available\n`, 'FAILED_PRECONDITION', 'no-export'],
  [`${attach}${qemu} Failed to connect to '127.0.0.1:13812': Connection refused\n`, 'UNAVAILABLE'],
  [`${attach}${qemu} Failed to connect to '/tmp/no.sock': No such file or directory\n`, 'UNAVAILABLE'],
  [
    `${attach}error: internal error: unable to execute QEMU command 'object-add': Unable to access credentials /etc/pki/qemu/ca-cert.pem: No such file or directory\n`,
    'FAILED_PRECONDITION',
    'tls',
  ],
  [
    `${attach}${qemu} iSCSI: Failed to connect to LUN : Failed to log in to target. Status: Authentication failure(513)\n`,
    'PERMISSION_DENIED',
  ],
  [
    `${attach}${qemu} iSCSI: Failed to connect to LUN : Failed to log in to target. Status: Target not found(515)\n`,
    'FAILED_PRECONDITION',
    'no-export',
  ],
  [
    `${attach}${qemu} iSCSI: Failed to connect to LUN : SENSE KEY:ILLEGAL_REQUEST(5) ASCQ:LOGICAL_UNIT_NOT_SUPPORTED(0x2500)\n`,
    'FAILED_PRECONDITION',
    'no-export',
  ],
  [
    `${attach}${qemu} iSCSI: Failed to connect to LUN : iscsi_service failed with : iscsi_service_reconnect_if_loggedin. Can not reconnect right now.\n\n`,
    'UNAVAILABLE',
  ],
  [
    "error: Failed to resize block device 'vdb'\nerror: internal error: unable to execute QEMU command 'block_resize': Cannot grow device files\n",
    'FAILED_PRECONDITION',
    'not-grown',
  ],
  [
    "error: Failed to resize block device 'sda'\nerror: internal error: unable to execute QEMU command 'block_resize': Cannot grow iSCSI devices\n",
    'FAILED_PRECONDITION',
    'not-grown',
  ],
  [
    "error: Failed to resize block device 'vdd'\nerror: internal error: unable to execute QEMU command 'block_resize': Cannot grow NBD nodes\n",
    'FAILED_PRECONDITION',
    'reattach',
  ],
  [`${attach}error: internal error: No more available PCI slots\n`, 'RESOURCE_EXHAUSTED'],
  [
    `${attach}error: internal error: unable to execute QEMU command 'device_add': Bus 'ide.0' does not support hotplugging\n`,
    'FAILED_PRECONDITION',
    'no-hotplug',
  ],
  [`${attach}error: Requested operation is not valid: domain is not running\n`, 'FAILED_PRECONDITION', 'not-running'],
  ['error: Failed to detach device with alias ua-x\nerror: internal error: no device found with alias ua-x\n', 'NOT_FOUND', 'no-disk'],
  ['error: No disk found whose source path or target is vdb\n', 'NOT_FOUND', 'no-disk'],
  [
    "error: failed to get secret '5fe10e78-25d1-8b3b-8021-be83c6bcbfd7'\nerror: Secret not found: no secret with matching uuid '5fe10e78-25d1-8b3b-8021-be83c6bcbfd7'\n",
    'NOT_FOUND',
    'no-secret',
  ],
  [
    'error: Failed to detach device with alias ua-x\nerror: Timed out during operation: cannot acquire state change lock (held by monitor=remoteDispatchDomainAttachDeviceFlags)\n',
    'UNAVAILABLE',
  ],
  ['error: internal error: query-block device entry was not in expected format\n', 'INTERNAL'],
  ['error: a text that nobody knows\n', 'INTERNAL'],
  ['', 'INTERNAL'],
];

for (const [stderr, code, reason] of told) {
  test(`mapLibvirtError › ${code}: ${stderr.trim().split('\n').at(-1) || 'nothing'}`, (t) => {
    const failed = new VbsError('INTERNAL', 'virsh failed with exit code 1', { context: { exitCode: 1, stderr } });
    const mapped = mapLibvirtError(failed);
    t.is(mapped.code, code);
    t.is(mapped.context.reason, reason);
    t.is(mapped.context.exitCode, 1);
    if (code === 'INTERNAL') t.is(mapped, failed);
    else t.is(mapped.cause, failed);
  });
}

test('mapLibvirtError › leaves what the machine has named already', (t) => {
  const late = new VbsError('DEADLINE_EXCEEDED', 'virsh did not end', { context: { stderr: "error: failed to get domain 'x'" } });
  t.is(mapLibvirtError(late), late);
  t.is(mapLibvirtError(new Error('spawn')).code, 'INTERNAL');
});
