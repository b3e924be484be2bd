import { cloudResolverConformance, type Surroundings } from '@vbs/conformance';
import nimbusPlugin from '@vbs/plugin-nimbus';
import test from 'ava';
import { Cloud, sources } from './nimbus-fixture.js';

const clouds = new WeakMap<object, Cloud>();

/** The cloud of one test. */
function cloudOf(surroundings: Surroundings): Cloud {
  const found = clouds.get(surroundings.atEnd) ?? new Cloud(surroundings.directory);
  clouds.set(surroundings.atEnd, found);
  return found;
}

const place = (instanceId: string, managerId: string, vmmHost: string) => ({ instanceId, vmmHost, vmId: `wrksp-${managerId}` });
const five = place('5', '5', 'worker01.example.org');

for (const [source, config] of Object.entries(sources)) {
  const machine = (surroundings: Surroundings) => cloudOf(surroundings).machine;
  cloudResolverConformance(test, nimbusPlugin, {
    label: `nimbus, ${source} on stand-in tools`,
    config: () => config,
    machine,
    running: [place('4', '4', 'worker02.example.org'), five, place('9', '9', 'worker01.example.org')],
    unknown: '6',
    terminated: '8',
    notPlaced: '7',
  });
  cloudResolverConformance(test, nimbusPlugin, {
    label: `nimbus, ${source} and EC2-style ids on stand-in tools`,
    config: () => ({ ...config, idMap: '/ids' }),
    machine,
    running: [place('i-0a1b2c3d', '4', 'worker02.example.org'), five],
    unknown: 'i-ffffffff',
    terminated: 'i-00000006',
    notPlaced: 'i-00000007',
  });
}
