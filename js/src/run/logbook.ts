/** The last lines of a run as far as this page has them: bounded by what the kernel keeps, with holes for what is on its way. */

export interface Line {
  /** The nodes that wrote it, as "0,2,4-6"; empty for what no node wrote. */
  ranks: string;
  wrong: boolean;
  text: string;
}

export class LogBook {
  /** The numbers of the oldest line that is kept and of the one that comes next. */
  first = 0;
  end = 0;
  /** Lines that the kernel itself could not take. */
  missing = 0;
  /** Grows with every change. */
  version = 0;
  #lines: (Line | undefined)[] = [];

  /** Forget what is older than `first`, and make room up to `end`. */
  bound(first: number, end: number, missing: number): void {
    if (first > this.first) this.#lines.splice(0, first - this.first);
    this.first = Math.max(first, this.first);
    this.end = Math.max(end, this.end);
    this.missing = missing;
    this.version += 1;
  }

  /** Put in lines that begin with number `start`; the kernel may have given some of them up meanwhile. */
  put(start: number, lines: readonly Line[]): void {
    lines.forEach((line, place) => {
      if (start + place >= this.first) this.#lines[start + place - this.first] = line;
    });
    this.end = Math.max(this.end, start + lines.length);
    this.version += 1;
  }

  at(number: number): Line | undefined {
    return this.#lines[number - this.first];
  }

  /** The numbers of the lines that `accepts` takes; those that are not here yet are none. */
  numbers(accepts: (line: Line) => boolean): number[] {
    const found: number[] = [];
    this.#lines.forEach((line, place) => {
      if (line !== undefined && accepts(line)) found.push(this.first + place);
    });
    return found;
  }
}

const known = new Map<string, Set<number>>();

/** Whether `rank` is one of `ranks`, such as "0,2,4-6". */
export function includes(ranks: string, rank: number): boolean {
  let set = known.get(ranks);
  if (set === undefined) {
    set = new Set(ranks === "" ? [] : ranks.split(",").flatMap(expand));
    if (known.size > 1000) known.clear();
    known.set(ranks, set);
  }
  return set.has(rank);
}

function expand(part: string): number[] {
  const [low = 0, high = low] = part.split("-").map(Number);
  return Array.from({ length: high - low + 1 }, (_, place) => low + place);
}

/** Find `query` in a text, ignoring case: where each match begins. */
export function matcher(query: string): RegExp {
  return new RegExp(query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
}
