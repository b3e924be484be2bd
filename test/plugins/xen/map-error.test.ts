import { VbsError } from '@vbs/core';
import { mapXenError } from '@vbs/plugin-xen/internal/map-error.js';
import test from 'ava';

const added = 'libxl: error: libxl_device.c:1486:device_addrm_aocomplete: unable to add device\nlibxl_device_disk_add failed.\n';
const script = 'libxl: error: libxl_device.c:1337:device_hotplug_child_death_cb: script: Device /dev/loop1 is mounted';
const removed = 'libxl: error: libxl_device.c:1481:device_addrm_aocomplete: Domain 1:Unable to remove vbd with id 51744';

/** What the tools say, as captured (xl) and noted (xm). */
const told: readonly (readonly [exitCode: number, stderr: string, code: string, context?: object])[] = [
  [1, 'nosuchdom is an invalid domain identifier\n', 'NOT_FOUND'],
  [1, 'nosuchdom is an invalid domain identifier (rc=-6)\n', 'NOT_FOUND'],
  [1, `libxl: error: libxl_dom.c:37:libxl__domain_type: unable to get domain type for domid=99\n${added}`, 'NOT_FOUND'],
  [1, "Can't get domid of domain name 'nosuchdom', maybe this domain does not exist.\n", 'NOT_FOUND'],
  [3, "Error: Domain 'nosuchdom' does not exist.\n", 'NOT_FOUND'],
  [
    1,
    `libxl: error: libxl_disk.c:343:device_disk_add: Domain 1:device already exists in xenstore\n${added}`,
    'FAILED_PRECONDITION',
    { reason: 'slot-taken' },
  ],
  [1, 'Error: Device xvdb (51728, vbd) is already connected.\n', 'FAILED_PRECONDITION', { reason: 'slot-taken' }],
  [1, `${script} in a guest domain,\nand so cannot be mounted now.\n${added}`, 'FAILED_PRECONDITION', { reason: 'in-use' }],
  [1, `${script} read-write in a guest domain,\nand so cannot be mounted read-only now.\n`, 'FAILED_PRECONDITION', { reason: 'in-use' }],
  [1, `${script} in the privileged domain,\nand so cannot be mounted by a guest.\n`, 'FAILED_PRECONDITION', { reason: 'in-use' }],
  [1, `${script} read-write in the privileged domain,\nand so\n`, 'FAILED_PRECONDITION', { reason: 'in-use' }],
  [
    1,
    'Error: Device 51728 (vbd) could not be connected. Device /dev/loop1 is mounted in a guest domain,\nand so cannot be mounted now.\n',
    'FAILED_PRECONDITION',
    { reason: 'in-use' },
  ],
  [
    1,
    `libxl: error: libxl_device.c:455:libxl__device_disk_set_backend: Disk vdev=xvdd failed to stat: /dev/nosuch: No such file or directory\n${added}`,
    'FAILED_PRECONDITION',
    { reason: 'no-device' },
  ],
  [1, 'Error: Device 51760 (vbd) could not be connected. /dev/nosuch does not exist.\n', 'FAILED_PRECONDITION', { reason: 'no-device' }],
  [
    1,
    `libxl: error: libxl_disk.c:214:libxl__device_from_disk: Domain 1:Invalid or unsupported virtual disk identifier /dev/xvdb\n${added}`,
    'INVALID_ARGUMENT',
    { field: 'device' },
  ],
  [1, 'Error: Unable to find number for device (notadev)\n', 'INVALID_ARGUMENT', { field: 'device' }],
  [1, "command line: config parsing error in disk specification: no vdev specified in `phy:/dev/loop1'\n", 'INVALID_ARGUMENT'],
  [
    1,
    'libxl: error: libxl_disk.c:516:libxl__disk_from_xenstore: disk /libxl/1/device/vbd/51728 does not exist (no backend path\nError: Device xvdb not connected.\n',
    'NOT_FOUND',
    { reason: 'no-disk' },
  ],
  [1, 'Error: Device notadev not connected.\n', 'NOT_FOUND', { reason: 'no-disk' }],
  [1, 'Error: Device xvdb not connected\n', 'NOT_FOUND', { reason: 'no-disk' }],
  [
    1,
    `libxl: error: libxl_device.c:1181:device_backend_callback: Domain 1:unable to remove device with path /local/domain/0/backend/vbd/1/51744\n${removed}\nlibxl_device_disk_safe_remove failed.\n`,
    'FAILED_PRECONDITION',
    { reason: 'guest-busy' },
  ],
  [1, 'Error: Device 51744 (vbd) could not be disconnected.\n', 'FAILED_PRECONDITION', { reason: 'guest-busy' }],
  [1, 'libxl: error: killing execution of /etc/xen/scripts/block add because of timeout\n', 'DEADLINE_EXCEEDED'],
  [1, 'Error: Device 51728 (vbd) could not be connected. Hotplug scripts not working.\n', 'DEADLINE_EXCEEDED'],
  [
    1,
    'xencall: error: Could not obtain handle on privileged command interface: Permission denied\nlibxl: error: libxl.c:102:libxl_ctx_alloc: cannot open libxc handle: Permission denied\ncannot init xl context\n',
    'PERMISSION_DENIED',
  ],
  [1, 'Error: Most commands need root access. Please try again as root.\n', 'PERMISSION_DENIED'],
  [1, 'xenstore-ls: xs_open: Permission denied\n', 'PERMISSION_DENIED'],
  [1, 'sudo: a password is required\n', 'PERMISSION_DENIED'],
  [1, 'xenstore-ls: xs_open: Connection refused\n', 'UNAVAILABLE'],
  [1, 'xenstore-ls: xs_open: No such file or directory\n', 'UNAVAILABLE'],
  [
    1,
    'xencall: error: Could not obtain handle on privileged command interface: No such file or directory\ncannot init xl context\n',
    'UNAVAILABLE',
  ],
  [1, 'Error: Unable to connect to xend: Connection refused. Is xend running?\n', 'UNAVAILABLE'],
  [2, "'xl block-attach' requires at least 2 arguments.\n\n", 'INTERNAL'],
  [1, 'libxl_device_disk_add failed.\n', 'INTERNAL'],
  [1, 'command not implemented\n', 'INTERNAL'],
];

const maps = test.macro<[number, string, string, object | undefined]>((t, exitCode, stderr, code, context) => {
  const error = mapXenError(new VbsError('INTERNAL', 'a tool failed', { context: { command: ['xl'], exitCode, signal: null, stderr } }));
  t.is<string, string>(error.code, code, error.message);
  t.like(error.context, { exitCode, stderr, ...context });
});
for (const [exitCode, stderr, code, context] of told) {
  test(`mapXenError › ${JSON.stringify(stderr.replaceAll('\n', ' ').slice(0, 150))} is ${code}`, maps, exitCode, stderr, code, context);
}

test('mapXenError › leaves alone what is no exit code', (t) => {
  for (const code of ['DEADLINE_EXCEEDED', 'ABORTED', 'FAILED_PRECONDITION'] as const) {
    const error = new VbsError(code, 'xl is an invalid domain identifier');
    t.is(mapXenError(error), error);
  }
  t.is(mapXenError(new TypeError('x')).code, 'INTERNAL');
});
