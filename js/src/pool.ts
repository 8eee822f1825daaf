/** A pool as the page knows it: the slow snapshot joined with the last live numbers. */

import type { Hearing } from "./hearing";
import { History } from "./history";
import { listen, type Model } from "./model";
import type { Host } from "./mount";
import { Tasks } from "./tasks";
import {
  type Delta,
  decodeDelta,
  decodeRefusal,
  type Ended,
  type Gpu,
  type NodeRow,
  type NodeState,
  type Numbers,
  type Snapshot,
} from "./wire";

/** One node, ready to be drawn. `known` is false until its first live numbers arrived. */
export interface Cell extends NodeRow, Numbers {
  known: boolean;
  failed: number;
  cancelled: number;
}

/** What remains of a pool that is over. */
interface Last {
  done?: number[];
  finished?: number;
  tasks?: { rows: unknown };
}

export type Census = Record<NodeState, number>;

const NOTHING: Omit<Numbers, "state"> = { cpu: 0, memory: 0, running: 0, done: 0, busy: 0 };

export class Pool {
  readonly history = new History();
  readonly tasks = new Tasks();
  refusal = "";
  queued = 0;
  rate = 0;
  /** Whether any live number arrived yet. */
  known = false;
  cells: Cell[] = [];
  readonly #model: Model;
  readonly #hearing: Hearing;
  readonly #changed: () => void;
  #gpus = new Map<number, Gpu[]>();
  #seq = -1;
  #skew = 0;
  #ended: Ended = [0, 0, 0];
  #faults = new Map<number, [number, number]>();
  #spent = 0;

  constructor({ model, changed, signal, hearing }: Host) {
    this.#model = model;
    this.#hearing = hearing;
    this.#changed = changed;
    this.#join();
    if (model.get("ended") as number) this.#settle();
    listen(model, "change:snapshot", () => this.#refresh(), signal);
    listen(model, "change:ended", () => this.#refresh(), signal);
    listen(model, "change:last", () => this.#refresh(), signal);
    listen(model, "change:logs", () => changed(), signal);
    listen(model, "msg:custom", (content, buffers) => this.#receive(content, buffers), signal);
  }

  get snapshot(): Snapshot {
    return this.#model.get("snapshot") as Snapshot;
  }

  /** The lines of one node's boot log. */
  log(rank: number): string[] {
    return (this.#model.get("logs") as Record<string, string[]>)[String(rank)] ?? [];
  }

  /** What one node's GPUs do; nothing once the pool is over. */
  gpus(rank: number): Gpu[] | undefined {
    return this.#gpus.get(rank);
  }

  /** Seconds since the epoch by the kernel's clock, as far as that is known; it stands still when nothing is heard. */
  get now(): number {
    return (this.#hearing.cut ? this.#hearing.last : Date.now()) / 1000 + this.#skew;
  }

  /** Seconds since the pool started, or that it ran. The kernel's clock may differ from the page's. */
  get age(): number {
    const ended = this.#model.get("ended") as number;
    return (ended > 0 ? ended : this.now) - this.snapshot.started;
  }

  /** How all tasks ended since the pool began, also on nodes that have left. */
  get ended(): Ended {
    return this.#ended;
  }

  /** What the pool has cost, in dollars. */
  get spent(): number {
    return Math.max(this.#spent, this.snapshot.so_far);
  }

  get census(): Census {
    const census: Census = { idle: 0, waiting: 0, active: 0, lost: 0 };
    for (const cell of this.cells) census[cell.state]++;
    return census;
  }

  /** Say why something was not done; an empty sentence takes that back. */
  refuse(sentence: string): void {
    this.refusal = sentence;
    this.#changed();
  }

  /** What was counted stays counted: of two counts the one of more tasks is the newer. */
  #count(ended: Ended | undefined): void {
    const sum = ([done, failed, cancelled]: Ended) => done + failed + cancelled;
    if (ended !== undefined && sum(ended) >= sum(this.#ended)) this.#ended = ended;
  }

  #refresh(): void {
    this.#join();
    if (this.#model.get("ended") as number) this.#settle();
    this.#changed();
  }

  /** The pool is over: of its numbers only what was done remains. */
  #settle(): void {
    const last = this.#model.get("last") as Last;
    const { done = [], finished = 0 } = last;
    this.#count([finished, 0, 0]);
    this.#gpus.clear();
    this.tasks.take(last.tasks, last.tasks?.rows);
    this.tasks.end();
    [this.queued, this.rate, this.known] = [0, 0, true];
    this.cells = this.cells.map((cell, place) => ({
      ...cell,
      ...NOTHING,
      done: done[place] ?? cell.done,
      known: true,
    }));
  }

  #receive(content: Record<string, unknown>, buffers: unknown[]): void {
    const delta = decodeDelta(content, buffers);
    if (delta !== undefined) this.#take(delta);
    this.tasks.take(content.tasks, buffers[1]);
    this.tasks.go(content.live);
    this.refusal = decodeRefusal(content) ?? this.refusal;
    this.#changed();
  }

  #take(delta: Delta): void {
    if (delta.seq <= this.#seq) return;
    this.#seq = delta.seq;
    this.#skew = delta.at - Date.now() / 1000;
    this.queued = delta.queued;
    this.rate = delta.rate;
    this.#spent = delta.so_far;
    this.#gpus = delta.gpus;
    this.#faults = delta.faults;
    this.#count(delta.ended);
    this.known = true;
    this.history.add(delta.at, delta.rate);
    if (delta.rows.length === this.snapshot.nodes.length) this.#join(delta.rows);
  }

  /** Join the snapshot's nodes with `rows`, or with what was known of each rank when there are none. */
  #join(rows?: Numbers[]): void {
    const before = new Map(this.cells.map((cell) => [cell.rank, cell]));
    this.#count(this.snapshot.ended);
    this.cells = this.snapshot.nodes.map((node, place) => {
      const fresh = rows?.[place];
      const [failed, cancelled] = this.#faults.get(node.rank) ?? [0, 0];
      if (fresh !== undefined) return { ...node, ...fresh, failed, cancelled, known: true };
      const { cpu, memory, running, done, busy, known } = before.get(node.rank) ?? {
        ...NOTHING,
        known: false,
      };
      // The numbers are of the moment before: a node that is idle by now runs nothing.
      const work = node.state === "active" ? { running, busy } : { running: 0, busy: 0 };
      return { ...node, cpu, memory, ...work, done, failed, cancelled, known };
    });
  }
}

/** The sum of one of the nodes' numbers. */
export function total(
  cells: readonly Cell[],
  column: "cpu" | "memory" | "running" | "done" | "busy" | "slots",
) {
  return cells.reduce((sum, cell) => sum + cell[column], 0);
}
