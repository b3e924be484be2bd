import test from 'ava';
import { bringUp, figure2 } from './support/xen-road-tests.js';

bringUp();

test.serial(
  'tgt, iSCSI and Xen › Figure 2: two volumes change places between two DomUs, and their file systems go with them',
  figure2,
  'tgt and iSCSI',
);
