/** A run as the page knows it: the slow snapshot of the model joined with what the deltas brought; views share it. */

import { listen, type Model } from "../model";
import type { Host } from "../mount";
import { type Line, LogBook } from "./logbook";

export const STATES = ["queued", "running", "done", "failed"] as const;
export type NodeState = (typeof STATES)[number];
export type NodePart = [rank: number, state: NodeState, reason: string];

export interface Snapshot {
  title: string;
  state: string;
  started: number;
  seconds: number;
  nodes: NodePart[];
  stops: number;
}

export type BarPart = [
  rank: number,
  label: string,
  state: string,
  share: number | null,
  count: string,
  rate: string,
];

/** Bars of several nodes as one; everything is written out. */
export interface Bar {
  key: string;
  ranks: string;
  label: string;
  note: string;
  state: string;
  share: number | null;
  count: string;
  elapsed: string;
  left: string;
  rate: string;
  slowest: [number, string] | null;
  fastest: [number, string] | null;
  endings: string;
  nodes: BarPart[];
}

type Piece = [start: number, rows: [ranks: string, wrong: number, text: string][]];

interface Delta {
  kind: "delta";
  seq: number;
  at: number;
  rows?: Piece[];
  log?: [first: number, end: number, missing: number];
  bars?: { groups: Bar[]; texts: string[] };
  pictures?: [total: number, place: number, picture: [name: string, page: string] | []];
}

/** What the views of one run share, for as long as there is one. */
export class Feed {
  readonly log = new LogBook();
  bars: Bar[] = [];
  texts: string[] = [];
  pictures: [name: string, page: string][] = [];
  unreachable = false;
  #seq = -1;
  #skew = 0;
  #views = 0;
  readonly #key: string;
  static readonly #feeds = new Map<string, Feed>();

  private constructor(key: string) {
    this.#key = key;
  }

  /** The feed of the host's run; every view passes on what it hears, as each may be the last to stay. */
  static of({ model, changed, signal }: Host): Feed {
    const key = model.get("name") as string;
    const known = Feed.#feeds.get(key);
    const feed = known ?? new Feed(key);
    Feed.#feeds.set(key, feed);
    feed.#views += 1;
    signal.addEventListener("abort", () => feed.#leave(), { once: true });
    listen(model, "change:snapshot", () => changed(), signal);
    const receive = (content: Record<string, unknown>) => {
      // What was told while the connection was broken may be lost.
      if (feed.#receive(content)) feed.ask(model, { kind: "want" });
      changed();
    };
    listen(model, "msg:custom", receive, signal);
    if (known === undefined) feed.ask(model, { kind: "want" });
    return feed;
  }

  /** Ask something of the kernel. */
  ask(model: Model, content: object): void {
    try {
      model.send(content);
    } catch {
      this.unreachable = true;
    }
  }

  /** Seconds since the run began, or that it took, at `now` by the page's clock, which may differ from the kernel's. */
  age({ started, seconds, state }: Snapshot, now: number): number {
    return state === "running" ? now / 1000 + this.#skew - started : seconds;
  }

  #leave(): void {
    this.#views -= 1;
    if (this.#views === 0) Feed.#feeds.delete(this.#key);
  }

  /** Take what the kernel tells; returns whether something that it told before has not come. */
  #receive(content: Record<string, unknown>): boolean {
    this.unreachable = false;
    const delta = content as unknown as Delta;
    if (content.kind !== "delta" || delta.seq <= this.#seq) return false;
    const lacks = this.#seq >= 0 && delta.seq > this.#seq + 1;
    this.#seq = delta.seq;
    this.#skew = delta.at - Date.now() / 1000;
    if (delta.log !== undefined) this.log.bound(...delta.log);
    for (const [start, rows] of delta.rows ?? []) this.log.put(start, rows.map(lineOf));
    if (delta.bars !== undefined) ({ groups: this.bars, texts: this.texts } = delta.bars);
    if (delta.pictures !== undefined) this.#picture(...delta.pictures);
    return lacks;
  }

  #picture(total: number, place: number, picture: [string, string] | []): void {
    this.pictures = this.pictures.slice(0, total);
    if (picture.length === 2) this.pictures[place] = picture;
  }
}

function lineOf([ranks, wrong, text]: Piece[1][number]): Line {
  return { ranks, wrong: wrong === 1, text };
}
