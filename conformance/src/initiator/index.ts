import type { Plugin } from '@vbs/core';
import { register } from '../kit/register.js';
import type { Providing } from '../kit/setup.js';
import type { Test } from '../kit/test.js';
import { connectProofs } from './connect.js';
import { besideProofs, disconnectProofs, heldProofs } from './disconnect.js';
import { extendConnectionProofs, identityProofs, listConnectionsProofs } from './list-and-extend.js';
import { refusalProofs } from './refusals.js';
import type { InitiatorSetup } from './setup.js';
import { InitiatorStage } from './stage.js';

export type { HoldPath, InitiatorSetup, InitiatorTarget, NodeDevice, SpokenBy, TargetOptions } from './setup.js';

/** Proves that a plugin keeps the Initiator contract: the right bytes behind the right device, and nothing left of what was refused. */
export function initiatorConformance<P extends Providing<'initiator'>>(
  test: Test,
  plugin: Plugin<string, P>,
  setup: NoInfer<InitiatorSetup<P>>,
): void {
  register({
    test,
    kind: 'initiator',
    plugin,
    setup,
    proofs: [
      ...identityProofs,
      ...connectProofs,
      ...refusalProofs,
      ...disconnectProofs,
      ...besideProofs(setup.makeBeside !== undefined),
      ...heldProofs(setup.hold),
      ...listConnectionsProofs,
      ...extendConnectionProofs,
    ],
    stage: (scene) => new InitiatorStage(scene, setup),
  });
}
