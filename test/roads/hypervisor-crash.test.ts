import { testCrashesOfRoad } from './crash.js';

testCrashesOfRoad('LVM → vblade → AoE → Xen');
testCrashesOfRoad('LVM → IET → iSCSI → qm');
