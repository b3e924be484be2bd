import { moduleClosure, parseModulesDep } from '@vbs/lab/internal/build/modules.js';
import test from 'ava';

const table = parseModulesDep(
  [
    'kernel/fs/ext4/ext4.ko: kernel/fs/mbcache.ko kernel/fs/jbd2/jbd2.ko',
    'kernel/fs/jbd2/jbd2.ko:',
    'kernel/fs/mbcache.ko:',
    'kernel/drivers/md/dm-thin-pool.ko: kernel/drivers/md/dm-bufio.ko kernel/drivers/md/dm-mod.ko',
    'kernel/drivers/md/dm-bufio.ko: kernel/drivers/md/dm-mod.ko',
    'kernel/drivers/md/dm-mod.ko:',
    'kernel/drivers/net/unwanted.ko:',
    '',
  ].join('\n'),
);

test('moduleClosure › has what the wanted modules need, each before what needs it, and nothing else', (t) => {
  const { paths, absent } = moduleClosure(table, ['dm_thin_pool', 'ext4']);
  t.deepEqual(paths, [
    'kernel/drivers/md/dm-mod.ko',
    'kernel/drivers/md/dm-bufio.ko',
    'kernel/drivers/md/dm-thin-pool.ko',
    'kernel/fs/mbcache.ko',
    'kernel/fs/jbd2/jbd2.ko',
    'kernel/fs/ext4/ext4.ko',
  ]);
  t.deepEqual(absent, []);
});

test('moduleClosure › tells the names that no module has', (t) => {
  t.deepEqual(moduleClosure(table, ['dm-mod', 'loop']), { paths: ['kernel/drivers/md/dm-mod.ko'], absent: ['loop'] });
});
