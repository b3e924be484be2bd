import { join } from 'node:path';
import type { IetWorld } from '../../stand-ins/iet/iet-world.js';
import { type Admission, type Comer, StandInTarget } from '../../stand-ins/iscsi/targets.js';

/** A target of ietd as an initiator meets it: ietd lets in whom its lists and accounts let in, and knows the session. */
class IetPortalTarget extends StandInTarget {
  constructor(
    private readonly iet: IetWorld,
    iqn: string,
    portal: string,
  ) {
    super(iqn, [portal]);
  }

  override admit({ initiator, chap }: Comer): Admission {
    try {
      const session = this.iet.login({ iqn: this.iqn, initiator, ...(chap === undefined ? {} : { chap }) });
      return { leave: () => void session.disconnect() };
    } catch (error) {
      return error instanceof Error && error.message === 'authentication failure' ? 'wrong secret' : 'not found';
    }
  }
}

/** Shows the targets that ietd has now among those that an initiator can reach; ietd listens also while it has none. */
export function showTargets(iet: IetWorld, portal: string, targets: Map<string, StandInTarget>): void {
  const listening = 'the portal itself';
  if (!targets.has(listening)) {
    const silent = new StandInTarget(listening, [portal]);
    silent.initiators = [];
    targets.set(listening, silent);
  }
  for (const iqn of targets.keys()) if (iqn !== listening && iet.targetNamed(iqn) === undefined) targets.delete(iqn);
  for (const { name, luns } of iet.targets) {
    const shown = targets.get(name) ?? new IetPortalTarget(iet, name, portal);
    targets.set(name, shown);
    shown.luns.clear();
    for (const { lun, path, serial, mode } of luns.values()) {
      shown.luns.set(lun, { file: join(iet.root, path), serial, readOnly: mode === 'ro' });
    }
  }
}
