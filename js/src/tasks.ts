/** The tasks of a pool that ended last, as the page keeps them. */

import { view } from "./wire";

/** The most tasks that are kept. */
const KEPT = 2000;
/** The bytes of a row; see widgets/tasks.py. */
const ROW = 36;
/** A pause that is longer than this (seconds), and than all that is shown after it, ends what is the latest. */
const PAUSE = 5;

/** One task that ended; moments are in seconds since the epoch. */
export interface Task {
  task: number;
  name: string;
  node: number;
  queued: number;
  sent: number;
  began: number;
  ended: number;
  received: number;
  error: string;
}

interface Header {
  first: number;
  base: number;
  words: string[];
}

export class Tasks {
  /** Those that are kept, in the order in which they ended. */
  kept: Task[] = [];
  /** How many of the pool's tasks the page knows of. */
  next = 0;

  /** Take what came with a delta; views share a model, so some of it may be known. */
  take(header: unknown, buffer: unknown): void {
    const bytes = view(buffer);
    if (header === undefined || bytes === undefined) return;
    const { first, base, words } = header as Header;
    const rows = Math.floor(bytes.byteLength / ROW);
    const fresh: Task[] = [];
    for (let row = Math.max(0, this.next - first); row < rows; row++) {
      fresh.push(decoded(bytes, row * ROW, base, words));
    }
    this.next = Math.max(this.next, first + rows);
    this.kept = [...this.kept, ...fresh].slice(-KEPT);
  }

  /** Those since the last long pause: what ran before would only leave a gap. */
  latest(): Task[] {
    const tasks = [...this.kept].sort((one, other) => other.ended - one.ended);
    const end = tasks[0]?.ended ?? 0;
    let start = end;
    const far = tasks.findIndex((task) => {
      const paused = task.ended < start - Math.max(PAUSE, end - start);
      start = paused ? start : Math.min(start, task.sent);
      return paused;
    });
    return far < 0 ? tasks : tasks.slice(0, far);
  }
}

function decoded(bytes: DataView, offset: number, base: number, words: string[]): Task {
  const moment = (place: number) => base + bytes.getFloat32(offset + 8 + place * 4, true);
  const word = (at: number) => words[bytes.getUint16(offset + at, true)] ?? "";
  return {
    task: bytes.getFloat64(offset, true),
    queued: moment(0),
    sent: moment(1),
    began: moment(2),
    ended: moment(3),
    received: moment(4),
    node: bytes.getInt32(offset + 28, true),
    name: word(32),
    error: word(34),
  };
}
