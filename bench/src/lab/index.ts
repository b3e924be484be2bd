import { main } from '../main.js';
import { labAttach } from './attach.js';
import { labClone, labMany } from './volumes.js';

await main({
  program: 'npm run bench:lab',
  measurements: [labAttach, labClone, labMany],
  page: new URL('../../../docs/performance-lab.md', import.meta.url),
});
