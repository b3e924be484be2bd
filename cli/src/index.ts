import { main } from './main.js';

// Whatever is still open then, the command is done.
process.exit(await main(process.argv.slice(2)));
