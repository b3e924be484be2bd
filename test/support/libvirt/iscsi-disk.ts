import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DeviceSource, Secret } from '@vbs/core';
import type { ExecutionContext } from 'ava';
import { freePort } from '../../conformance/free-port.js';
import { TestDaemon } from '../../plugins/tgt/tgt-fixture.js';

/** A LUN of a tgtd of the test's own, which asks for a secret. */
export interface IscsiDisk {
  readonly daemon: TestDaemon;
  readonly source: DeviceSource;
  /** The same as another would ask for it. */
  withPassword(password: string): DeviceSource;
}

const iqn = 'iqn.2009-11.org.example:disk';
const user = 'exp-00000000000000001';
const password = 'a secret of the export';

export async function makeIscsiDisk(t: ExecutionContext, directory: string, sizeBytes: number): Promise<IscsiDisk> {
  const daemon = new TestDaemon(directory, await freePort());
  t.teardown(() => daemon.kill());
  await daemon.start();
  const path = join(directory, 'lun.img');
  await writeFile(path, Buffer.alloc(sizeBytes));
  await daemon.adm('--mode', 'target', '--op', 'new', '--tid', '1', '--targetname', iqn);
  await daemon.adm('--mode', 'logicalunit', '--op', 'new', '--tid', '1', '--lun', '1', '--backing-store', path);
  await daemon.adm('--mode', 'account', '--op', 'new', '--user', user, '--password', password);
  await daemon.adm('--mode', 'account', '--op', 'bind', '--tid', '1', '--user', user);
  await daemon.adm('--mode', 'target', '--op', 'bind', '--tid', '1', '--initiator-address', 'ALL');
  const withPassword = (text: string): DeviceSource => ({
    kind: 'connection',
    connection: {
      protocol: 'iscsi',
      key: `${iqn}/1`,
      portals: [`127.0.0.1:${daemon.port}`],
      iqn,
      lun: 1,
      serial: 'vol00000000000000001',
      chap: { user, password: new Secret(text) },
    },
  });
  return { daemon, source: withPassword(password), withPassword };
}
