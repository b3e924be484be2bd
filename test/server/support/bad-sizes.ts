import { type BadRequest, bodyTo, outOfRange } from './bad-request.js';

const create = bodyTo('/v1/volumes');
const extend = bodyTo('/v1/volumes/{volume}/extend');
const size = (value: unknown): { size: unknown } => ({ size: value });

const notSizes: readonly (readonly [what: string, value: unknown])[] = [
  ['with half a byte', 1.5],
  ['in a unit that there is not', '1.5 parsecs'],
  ['that is empty', ''],
  ['of white space', '   '],
  ['NaN', 'NaN'],
  ['Infinity', 'Infinity'],
  ['with an exponent', '1e6'],
  ['in hexadecimal', '0x100000'],
  ['with underscores', '1_000_000'],
  ['with a comma', '1,5GiB'],
  ['with digits of Arabic', '٣MiB'],
  ['with wide digits', '１MiB'],
  ['with a letter that looks like M', '1МiB'],
  ['with a NUL', '1MiB\u0000'],
  ['with an end of line', '1\nMiB'],
  ['of two sizes', '1MiB 1MiB'],
  ['in exabytes', '1EiB'],
  ['of a tenth of a byte', '0.1B'],
  ['with 65 digits', '1'.repeat(65)],
  ['of 10,000 digits', '1'.repeat(10_000)],
  ['with a sign alone', '-'],
  ['that is true', true],
  ['that is null', null],
  ['that is a list', [1_048_576]],
  ['that is an object', { bytes: 1_048_576 }],
];
const beyond: readonly (readonly [what: string, value: unknown])[] = [
  ['of 0', 0],
  ['of minus 0', -0],
  ['below 0', -1],
  ['of 2^53', 2 ** 53],
  ['of 10^30', 1e30],
  ['below 0, as a text', '-1MiB'],
  ['of 0, as a text', '0MiB'],
  ['of 2^53, as a text', '9007199254740992'],
  ['of 8 PiB', '8PiB'],
  ['of 20 digits and a unit', `${'9'.repeat(20)}PiB`],
  ['that a safe number cannot hold when it is rounded up', Number.MAX_SAFE_INTEGER],
];

/** What is no size, and what is out of range. */
export const badSizes: readonly BadRequest[] = [
  ...notSizes.map(([what, value]) => create(`a size ${what}`, size(value), 'size')),
  ...beyond.map(([what, value]) => create(`a size ${what}`, size(value), 'size', outOfRange)),
  create('a size of 10^400', '{"size":1e400}', 'size', outOfRange),
  create('a size of minus 10^400', '{"size":-1e400}', 'size', outOfRange),
  create('no size', {}, 'size'),
  create('a size under another name', { sizeBytes: 1 }, 'sizeBytes'),
  create('a size in capitals', { Size: 1 }, 'Size', { detail: /did you mean size\?/ }),
  create('a size with a misspelt name', { siez: 1 }, 'siez', { detail: /did you mean size\?/ }),
  create('a size below that of the snapshot', { size: '1MiB', snapshotId: '{snapshot}' }, 'size', outOfRange),
  extend('an extension without a size', {}, 'size'),
  extend('an extension to nothing', size(null), 'size'),
  extend('an extension to less', size('1MiB'), 'size', outOfRange),
  extend('an extension by a sign', size('+-1MiB'), 'size'),
  extend('an extension of another volume', { size: '8MiB', volumeId: '{attached}' }, 'volumeId'),
];
