import { testFaultsOfRoad } from './faults.js';

testFaultsOfRoad('LVM → vblade → AoE');
