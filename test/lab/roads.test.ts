import test from 'ava';
import { bringUp, figure2, figure3 } from './support/road-tests.js';

bringUp();

test.serial(
  'vblade and AoE › Figure 2: two volumes change places between two nodes, and their file systems go with them',
  figure2,
  'vblade and AoE',
);
test.serial(
  'tgt and iSCSI › Figure 3: a volume made from a snapshot has what was flushed before it, on another node',
  figure3,
  'tgt and iSCSI',
);
