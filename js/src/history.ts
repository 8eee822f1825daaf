/** The last minute of a rate, in equal buckets of time. */

const BUCKET_S = 0.5;
const BUCKETS = 120;
/** The longest silence through which a rate is taken to have gone on unchanged, in buckets. */
const BRIDGED = 6;

export class History {
  readonly #values = new Float64Array(BUCKETS).fill(Number.NaN);
  #last = -1;

  /** Take the rate at `at` (seconds); a later value of one bucket replaces an earlier one. */
  add(at: number, rate: number): void {
    const bucket = Math.floor(at / BUCKET_S);
    if (bucket < this.#last) return;
    const silent = this.#last < 0 ? BUCKETS : Math.min(bucket - this.#last, BUCKETS) - 1;
    const between = silent <= BRIDGED ? (this.#values[this.#last % BUCKETS] ?? Number.NaN) : Number.NaN;
    for (let gap = 1; gap <= silent; gap++) this.#values[(bucket - gap + BUCKETS) % BUCKETS] = between;
    this.#values[bucket % BUCKETS] = rate;
    this.#last = bucket;
  }

  /** The rates, oldest first; NaN where none was seen. */
  values(): number[] {
    const first = this.#last + 1;
    return Array.from(
      { length: BUCKETS },
      (_, place) => this.#values[(first + place) % BUCKETS] ?? Number.NaN,
    );
  }
}
