/** What crosses between the kernel and the page: the shapes of actors/source.py, and their decoding. */

/** The states of a node; a state's place is its code in a delta's rows. */
export const STATES = ["idle", "waiting", "active", "lost"] as const;
export type NodeState = (typeof STATES)[number];

/** The numbers per node in a delta: state code, CPU, memory, running, done, busy. */
const COLUMNS = 6;

export interface NodeRow {
  rank: number;
  state: NodeState;
  phase: string;
  /** When the phase began, in seconds since the epoch; 0 where that is not known. */
  since: number;
  /** The last line that the phase wrote. */
  said: string;
  /** False while it runs behind a link that is broken. */
  reachable: boolean;
  address: string;
  pid: number;
  slots: number;
}

export interface Snapshot {
  pool: string;
  provider: string;
  state: string;
  note: string;
  started: number;
  nodes: NodeRow[];
  smallest: number;
  largest: number;
  /** Why not more. */
  limit?: string;
  ended?: Ended;
  per_hour: number;
  so_far: number;
  /** Whether it is the active one of several pools; null or absent when there is no other. */
  active?: boolean | null;
}

/** How many tasks are done, have failed and were cancelled. */
export type Ended = readonly [done: number, failed: number, cancelled: number];

/** One node's live numbers: CPU in percent of a core, memory in MiB. */
export interface Numbers {
  state: NodeState;
  cpu: number;
  memory: number;
  running: number;
  done: number;
  busy: number;
}

/** A GPU: busy in percent of the time, memory in MiB; null is what its driver does not say. */
export interface Gpu {
  index: number;
  busy: number | null;
  memory: number | null;
  total: number | null;
}

export interface Delta {
  seq: number;
  at: number;
  queued: number;
  rate: number;
  so_far: number;
  rows: Numbers[];
  gpus: Map<number, Gpu[]>;
  ended: Ended | undefined;
  /** Of the nodes on which any failed or were cancelled: how many. */
  faults: Map<number, [failed: number, cancelled: number]>;
}

/** What the page asks of the pool. */
export type Command = { kind: "scale"; nodes: number } | { kind: "interrupt" } | { kind: "stop" };

/** How many tasks a view of this name knows of, so that the next ones are sent to it. */
export type Drawn = { kind: "tasks"; after: number; view: string };

type Content = Record<string, unknown>;

/** Decode a delta, or undefined when `content` is another kind of message. */
export function decodeDelta(content: Content, buffers: readonly unknown[]): Delta | undefined {
  if (content.kind !== "delta") return undefined;
  const rows = decodeRows(buffers[0]);
  return {
    seq: number(content.seq),
    at: number(content.at),
    queued: number(content.queued),
    rate: number(content.rate),
    so_far: number(content.so_far),
    rows,
    gpus: decodeGpus(content.gpus),
    ended: content.ended as Ended | undefined,
    faults: byRank(content.faults as Record<string, [number, number]> | undefined),
  };
}

/** Why the pool did not do as it was asked, or undefined when `content` is another kind of message. */
export function decodeRefusal(content: Content): string | undefined {
  return content.kind === "refusal" && typeof content.sentence === "string" ? content.sentence : undefined;
}

function decodeRows(buffer: unknown): Numbers[] {
  const bytes = view(buffer);
  if (bytes === undefined) return [];
  const rows: Numbers[] = [];
  for (let offset = 0; offset + COLUMNS * 4 <= bytes.byteLength; offset += COLUMNS * 4) {
    const at = (column: number) => bytes.getFloat32(offset + column * 4, true);
    rows.push({
      state: STATES[at(0)] ?? "lost",
      cpu: at(1),
      memory: at(2),
      running: at(3),
      done: at(4),
      busy: at(5),
    });
  }
  return rows;
}

function byRank<T>(told: Record<string, T> | undefined): Map<number, T> {
  return new Map(Object.entries(told ?? {}).map(([rank, it]) => [Number(rank), it]));
}

function decodeGpus(given: unknown): Map<number, Gpu[]> {
  const told = (given ?? {}) as Record<string, [number, number | null, number | null, number | null][]>;
  return new Map(
    Object.entries(told).map(([rank, gpus]) => [
      Number(rank),
      gpus.map(([index, busy, memory, total]) => ({ index, busy, memory, total })),
    ]),
  );
}

/** Hosts hand over buffers as views or as bare array buffers. */
export function view(buffer: unknown): DataView | undefined {
  if (ArrayBuffer.isView(buffer)) return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  if (buffer instanceof ArrayBuffer) return new DataView(buffer);
  return undefined;
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
