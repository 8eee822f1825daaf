/** The tasks of a pool as the page keeps them: those that ended last, and those that run or wait now. */

import { Colours } from "./colours";
import { view } from "./wire";

/** The most tasks that are kept. */
const KEPT = 2000;
/** The bytes of a row; see widgets/tasks.py. */
const ROW = 36;
/** A pause that is longer than this (seconds), and than all that is shown after it, ends what is the latest. */
const PAUSE = 5;
/** The errors of tasks that were stopped by somebody; see actors/tally.py. */
const CANCELLED = ["TaskInterrupted", "KeyboardInterrupt"];

export type State = "done" | "failed" | "cancelled" | "running" | "waiting";

/** One task; moments are in seconds since the epoch. One that waits has not begun, one that runs ends now. */
export interface Task {
  task: number;
  name: string;
  /** -1 while it waits for a free slot of any node. */
  node: number;
  queued: number;
  sent: number;
  began: number;
  ended: number;
  received: number;
  error: string;
  /** The number of the notebook's cell that called it; 0 where that is not known. */
  cell: number;
  state: State;
}

interface Header {
  first: number;
  base: number;
  words: string[];
  /** The number of each cell, and how many rows in a row are its own. */
  cells?: [cell: number, count: number][];
}

type Ongoing = [
  task: number,
  name: string,
  node: number,
  queued: number,
  sent: number,
  began: number,
  cell: number,
];

export class Tasks {
  /** Those that are kept, in the order in which they ended. */
  kept: Task[] = [];
  /** Those that have not ended, as of the last word. */
  ongoing: Task[] = [];
  /** How many of the pool's tasks the page knows of. */
  next = 0;
  readonly colours = new Colours();

  /** Take what came with a delta; views share a model, so some of it may be known. */
  take(header: unknown, buffer: unknown): void {
    const bytes = view(buffer);
    if (header === undefined || bytes === undefined) return;
    const { first, base, words, cells = [] } = header as Header;
    const cell = cells.flatMap(([number, count]) => new Array<number>(count).fill(number));
    const rows = Math.floor(bytes.byteLength / ROW);
    const fresh: Task[] = [];
    for (let row = Math.max(0, this.next - first); row < rows; row++) {
      fresh.push({ ...decoded(bytes, row * ROW, base, words), cell: cell[row] ?? 0 });
    }
    this.next = Math.max(this.next, first + rows);
    this.kept = [...this.kept, ...fresh].slice(-KEPT);
  }

  /** Take what runs and waits; nothing is said by a delta without it. */
  go(told: unknown): void {
    if (!Array.isArray(told)) return;
    this.ongoing = (told as Ongoing[]).map(([task, name, node, queued, sent, began, cell]) => ({
      ...{ task, name, node, queued, sent, began, cell },
      ...{ ended: 0, received: 0, error: "", state: began > 0 ? "running" : "waiting" },
    }));
  }

  /** The pool is over: nothing goes on. */
  end(): void {
    this.ongoing = [];
  }

  /** All of them at a moment, up to which what runs and waits has got. */
  at(now: number): Task[] {
    const live = this.ongoing.map((task) => ({
      ...task,
      began: task.state === "running" ? Math.min(task.began, now) : now,
      ended: now,
    }));
    return [...this.kept, ...live];
  }
}

/** The tasks of the cell that called the last one; where no cell is known, those since the last long pause. */
export function latest(tasks: readonly Task[]): Task[] {
  const last = tasks.reduce<Task | undefined>(
    (one, other) => (one && one.queued > other.queued ? one : other),
    undefined,
  );
  if (last !== undefined && last.cell > 0) return tasks.filter((task) => task.cell === last.cell);
  return sincePause(tasks);
}

/** Those since the last long pause: what ran before would only leave a gap. */
function sincePause(given: readonly Task[]): Task[] {
  const tasks = [...given].sort((one, other) => other.ended - one.ended);
  const end = tasks[0]?.ended ?? 0;
  let start = end;
  const far = tasks.findIndex((task) => {
    const paused = task.ended < start - Math.max(PAUSE, end - start);
    start = paused ? start : Math.min(start, task.queued);
    return paused;
  });
  return far < 0 ? tasks : tasks.slice(0, far);
}

function decoded(bytes: DataView, offset: number, base: number, words: string[]): Omit<Task, "cell"> {
  const moment = (place: number) => base + bytes.getFloat32(offset + 8 + place * 4, true);
  const word = (at: number) => words[bytes.getUint16(offset + at, true)] ?? "";
  const error = word(34);
  return {
    task: bytes.getFloat64(offset, true),
    queued: moment(0),
    sent: moment(1),
    began: moment(2),
    ended: moment(3),
    received: moment(4),
    node: bytes.getInt32(offset + 28, true),
    name: word(32),
    error,
    state: error === "" ? "done" : CANCELLED.includes(error) ? "cancelled" : "failed",
  };
}
