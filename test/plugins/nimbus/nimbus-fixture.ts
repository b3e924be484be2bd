import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NimbusConfig } from '@vbs/plugin-nimbus';
import { FaultPlan } from '../../stand-ins/frame/faults.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { NimbusWorld } from '../../stand-ins/nimbus/nimbus-admin.js';

export const logistics = 'http://www.globus.org/2008/06/workspace/metadata/logistics';
export const documents = {
  directory: '/properties',
  host: '//l:networking/l:nic/l:vmmHost',
  state: '//l:state',
} as const;

/** A cloud of six instances: 4 and 5 run, 7 is not placed, 8 shuts down, 9 is paused; 6 was there once. */
export class Cloud {
  readonly world = new NimbusWorld();
  readonly faults = new FaultPlan();
  readonly machine: StandInMachine;
  readonly #root: string;

  constructor(directory: string) {
    this.#root = join(directory, 'root');
    mkdirSync(join(this.#root, 'properties'), { recursive: true });
    this.machine = new StandInMachine({
      root: this.#root,
      stateDirectory: join(directory, 'state'),
      tools: this.world.tools,
      faults: this.faults,
    });
    this.put('4', 'worker02.example.org', 'Running');
    this.put('5', 'worker01.example.org', 'running');
    this.put('7', '', 'Unstaged');
    this.put('8', 'worker01.example.org', 'shutting-down');
    this.put('9', 'worker01.example.org', 'Paused');
    this.write('ids', '# exported\ni-0a1b2c3d 4\ni-00000006|6\ni-00000007,7\n');
  }

  /** What nimbus-admin lists, and the resource-property document beside it. */
  put(id: string, node: string, state: string): void {
    this.world.put(id, node, state);
    const nic = node === '' ? '' : `<l:nic><l:vmmHost> ${node} </l:vmmHost><l:domId>3</l:domId></l:nic>`;
    this.write(`properties/${id}.xml`, `<p xmlns:l="${logistics}"><l:state>${state}</l:state><l:networking>${nic}</l:networking></p>`);
  }

  write(path: string, text: string): void {
    writeFileSync(join(this.#root, path), text);
  }
}

export const sources: Readonly<Record<string, NimbusConfig>> = {
  'nimbus-admin as JSON': {},
  'nimbus-admin with a delimiter': { delimiter: '|' },
  documents: { documents },
};
