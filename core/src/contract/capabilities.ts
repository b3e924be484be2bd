type Intersection<U> = (U extends unknown ? (member: U) => void : never) extends (all: infer I) => void ? I : never;

/** The contract `Base` and the methods that the capabilities `C` of the map oblige to. */
export type WithCapabilities<Base, Map, C extends keyof Map> = Base & ([C] extends [never] ? unknown : Intersection<Map[C]>);
