import { main } from './main.js';
import { measurements } from './measurements.js';

await main({ program: 'npm run bench', measurements, page: new URL('../../docs/performance.md', import.meta.url) });
