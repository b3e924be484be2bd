export { Guest } from './lab/guest.js';
export { Lab, type LabOptions, type StandingOptions } from './lab/lab.js';
