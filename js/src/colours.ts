/** A colour for each function's name, the same wherever and whenever it is drawn; see widgets/colours.py. */

/** How many there are; the style sheet has them as --f0 and so on. */
export const COLOURS = 8;

export class Colours {
  readonly #known = new Map<string, number>();

  /** The colour of a name: the one that it always has, unless another name had that before. */
  of(name: string): number {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const own = hash(name) % COLOURS;
    const taken = new Set(this.#known.values());
    let colour = own;
    for (let step = 0; step < COLOURS && taken.has(colour); step++) colour = (own + step) % COLOURS;
    if (taken.has(colour)) colour = own;
    this.#known.set(name, colour);
    return colour;
  }
}

/** FNV-1a of the name in UTF-8. */
function hash(name: string): number {
  let found = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) found = Math.imul(found ^ byte, 0x01000193) >>> 0;
  return found;
}
