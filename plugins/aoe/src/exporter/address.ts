import { createHash } from 'node:crypto';

/** 65535 is the broadcast shelf, and 255 the broadcast slot. */
export const highestShelf = 65_534;
export const highestSlot = 254;
/** Linux takes it for hardware whose switches nobody has set, and ignores it (drivers/block/aoe/aoecmd.c). */
export const deafShelf = 4095;
const slotsOfAShelf = highestSlot + 1;
const shelvesOfAStore = 16;

/** An AoE address: e1.7 is slot 7 of shelf 1. */
export interface AoeAddress {
  readonly shelf: number;
  readonly slot: number;
}

export interface Shelves {
  readonly first: number;
  readonly last: number;
}

/** The numbers by which the core draws the addresses of these shelves. */
export function numbersOf({ first, last }: Shelves): { readonly first: number; readonly last: number } {
  return { first: first * slotsOfAShelf, last: last * slotsOfAShelf + highestSlot };
}

export function addressOf(number: number): AoeAddress {
  return { shelf: Math.floor(number / slotsOfAShelf), slot: number % slotsOfAShelf };
}

/** `e1.7`, as initiators name the device. */
export function keyOf({ shelf, slot }: AoeAddress): string {
  return `e${shelf}.${slot}`;
}

/** The shelves of a segment that was given none: nothing on the wire keeps two stores from one address, so each has others. */
export function defaultShelves(storeId: string, segment: string): Shelves {
  const digest = createHash('sha256').update(`${storeId}/${segment}`).digest().readUInt32BE(0);
  const blocks = Math.floor((highestShelf + 1) / shelvesOfAStore);
  const deafBlock = Math.floor(deafShelf / shelvesOfAStore);
  const drawn = digest % (blocks - 1);
  const first = (drawn < deafBlock ? drawn : drawn + 1) * shelvesOfAStore;
  return { first, last: first + shelvesOfAStore - 1 };
}
