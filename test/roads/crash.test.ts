import { testCrashesOfRoad } from './crash.js';

testCrashesOfRoad('LVM → IET → iSCSI');
testCrashesOfRoad('LVM → vblade → AoE');
