import { testFaultsOfRoad } from './faults.js';

testFaultsOfRoad('LVM → IET → iSCSI → Xen');
