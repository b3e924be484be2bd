import { VbsError } from '@vbs/core';
import { domuNames } from '../build/xen-host.js';
import { labCall } from '../ssh-access.js';
import { Domu } from './domu.js';
import { Guest } from './guest.js';

/** The Dom0 of a Xen host, with its DomUs. In the clean state the first DomU runs; after a boot none does. */
export class XenGuest extends Guest {
  /** @throws NOT_FOUND: it has no configuration of this name. */
  domu(name: string): Domu {
    if (domuNames.some((one) => one === name))
      return new Domu(name, (command, options) => this.told(() => this.machine.run(labCall(), command, options)));
    throw new VbsError('NOT_FOUND', `${this.name} has no DomU "${name}": it has ${domuNames.join(', ')}.`);
  }
}
