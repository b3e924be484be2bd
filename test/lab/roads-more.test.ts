import test from 'ava';
import { roadKinds } from './support/road.js';
import { bringUp, figure2, figure3, killed, rebooted, thirty } from './support/road-tests.js';

bringUp();

test.serial(
  'tgt and iSCSI › Figure 2: two volumes change places between two nodes, and their file systems go with them',
  figure2,
  'tgt and iSCSI',
);
test.serial(
  'vblade and AoE › Figure 3: a volume made from a snapshot has what was flushed before it, on another node',
  figure3,
  'vblade and AoE',
);
for (const kind of roadKinds) {
  test.serial(`${kind} › the volume server is rebooted under a mounted file system, which goes on`, rebooted, kind);
  test.serial(`${kind} › a node dies, and its volume is attached to another with all that was flushed`, killed, kind);
  test.serial(`${kind} › 30 volumes attached and detached at once: no device is another's`, thirty, kind);
}
