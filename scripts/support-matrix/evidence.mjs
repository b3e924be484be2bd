/** Where a plugin's tools were, by the words of a label of the conformance kit. */
export const places = new Map([
  ['stand-in', /^on stand-in tools$/],
  ['here', /^on the real (.+)$/],
  ['guest', /^in a guest with the real (.+)$/],
]);

const kit = /(?:^| › )(volumeBackend|targetExporter|initiator|hypervisor|cloudResolver) \(([^)]+)\) › /;

/**
 * Which runs of the conformance kit the titles of passed tests tell of, as `plugin/kind/place` → the variants that ran (`thin`), each
 * with what was real. A label reads `<plugin>[, <variant>] on stand-in tools | on the real <tool> | in a guest with the real <tool>`.
 */
export function evidenceOf(titles) {
  const found = new Map();
  for (const title of titles) {
    const [, kind, label] = kit.exec(title) ?? [];
    if (label === undefined) continue;
    const parsed = /^([a-z0-9-]+)(?:, ([^,]+?))? (on stand-in tools|(?:on|in a guest with) the real .+)$/.exec(label);
    if (parsed === null) continue;
    const [, plugin, variant, where] = parsed;
    for (const [place, pattern] of places) {
      const match = pattern.exec(where);
      if (match === null) continue;
      const key = `${plugin}/${kind}/${place}`;
      const words = [variant, match[1]].filter((word) => word !== undefined).join(', ') || 'yes';
      found.set(key, new Set([...(found.get(key) ?? []), words]));
    }
  }
  return found;
}
