/** A collection as one view of it knows it: what the kernel told last, what this view shows of it, what changed. */

import { listen } from "./model";
import type { Host } from "./mount";
import { type About, type Body, type Content, decode, type Row, type Window } from "./rows";

/** How long a row that changed is marked, in seconds. */
export const MARKED_S = 1.6;
const TYPED_MS = 150;
/** Rows of a page. */
export const PAGE = 15;

/** What the page asks of the kernel. */
export interface Wish {
  offset: number;
  by: "key" | "value";
  down: boolean;
  search: string;
}

export class Collection {
  wish: Wish = { offset: 0, by: "key", down: false, search: "" };
  readonly #host: Host;
  #content: Content;
  #own: Window | undefined;
  #skew = 0;
  #typing = 0;
  #asked = 0;
  #unreachable = false;

  constructor(host: Host) {
    this.#host = host;
    const { model, signal, changed } = host;
    this.#content = decode(model.get("shown"));
    const refresh = () => {
      this.#content = decode(model.get("shown"));
      changed();
    };
    listen(model, "change:shown", refresh, signal);
    listen(model, "change:ended", refresh, signal);
    listen(model, "msg:custom", (content) => this.#receive(content), signal);
    signal.addEventListener("abort", () => clearTimeout(this.#typing), { once: true });
  }

  get about(): About {
    return this.#host.model.get("about") as About;
  }

  get over(): boolean {
    return (this.#host.model.get("ended") as number) > 0;
  }

  get body(): Body {
    return this.#content.body;
  }

  get note(): string {
    return this.#unreachable ? "The kernel cannot be reached." : this.#content.note;
  }

  /** Whether anything is known yet. */
  get known(): boolean {
    return this.#content.read > 0;
  }

  /** The kernel's clock, in seconds; that of a collection whose pool is over stands still. */
  get now(): number {
    if (this.over) return this.#content.read;
    const { cut, last } = this.#host.hearing;
    return (cut ? last : Date.now()) / 1000 + this.#skew;
  }

  /** What this view shows of a table. */
  get window(): Window | undefined {
    return this.#own ?? this.body.windows?.[""];
  }

  /** Whether what was asked for has not come yet. */
  get waiting(): boolean {
    return this.#own !== undefined && this.#own.number !== this.#asked;
  }

  /** Whether a row changed so lately that it is marked. */
  marked(row: Row): boolean {
    return !this.over && row.changed > 0 && this.now - row.changed < MARKED_S;
  }

  /** Show another part; what is typed is asked for when the typing rests. */
  ask(wish: Partial<Wish>, typed = false): void {
    this.wish = { ...this.wish, offset: 0, ...wish };
    this.#asked += 1;
    clearTimeout(this.#typing);
    this.#typing = window.setTimeout(() => this.send(), typed ? TYPED_MS : 0);
    this.#host.changed();
  }

  /** Tell the kernel what this view shows. */
  send(): void {
    if (!["dict", "set"].includes(this.about.kind)) return;
    try {
      this.#host.model.send({
        kind: "window",
        view: this.#host.view,
        limit: PAGE,
        number: this.#asked,
        ...this.wish,
      });
    } catch {
      this.#unreachable = true;
      this.#host.changed();
    }
  }

  #receive(message: { kind?: unknown }): void {
    if (message.kind !== "state") return;
    this.#content = decode(message);
    this.#unreachable = false;
    this.#skew = this.#content.at - Date.now() / 1000;
    this.#own = this.body.windows?.[this.#host.view] ?? this.#own;
    // There may be fewer rows than when it was asked for.
    if (this.#own !== undefined && !this.waiting) this.wish.offset = this.#own.offset;
    this.#host.changed();
  }
}
