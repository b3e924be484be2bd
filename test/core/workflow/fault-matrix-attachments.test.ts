import test from 'ava';
import { matrix } from './fault-matrix.js';
import { attachmentScenarios, scenarios } from './scenarios.js';

for (const scenario of scenarios) if (attachmentScenarios.has(scenario.title)) test.serial(matrix, scenario);
