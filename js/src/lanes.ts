/** Where the tasks of a timeline go: a row per node with a bar for each task, or how busy nodes were, for many. */

import { count, plural, span } from "./format";
import type { State, Task } from "./tasks";

/** With more nodes than these, neighbours share a row; with more tasks than these, rows show how busy nodes were. */
const ROWS = 50;
const BARS = 600;
const BINS = 160;
/** The rows that many nodes share. */
const GROUPED = 25;
/** So many of a node's tasks that wait there have a line, and so many of those that wait for any node. */
const [WAITING, QUEUED] = [2, 8];

/** Something to point at: a task, or what ran in a part of the time. Places are shares of the width. */
export interface Mark {
  start: number;
  /** Where waiting for it began. */
  wait: number;
  end: number;
  /** Its place among those at the same time, from 0; how high it is, as a share of the row. */
  top: number;
  height: number;
  state: State;
  /** The function that most of it is; see colours.ts. */
  name: string;
  says: () => string;
}

export interface Row {
  label: string;
  marks: Mark[];
}

export interface Picture {
  start: number;
  seconds: number;
  rows: Row[];
}

/** Lay out `tasks`; `undefined` when there are none. */
export function laidOut(tasks: Task[]): Picture | undefined {
  if (tasks.length === 0) return undefined;
  const ran = tasks.filter((task) => task.node >= 0).sort((one, other) => one.began - other.began);
  const start = tasks.reduce((least, task) => Math.min(least, task.queued), Number.POSITIVE_INFINITY);
  const seconds = Math.max(tasks.reduce((most, task) => Math.max(most, task.ended), start) - start, 1e-6);
  const nodes = new Set(ran.map((task) => task.node));
  const size = nodes.size > ROWS ? Math.ceil((Math.max(...nodes) + 1) / GROUPED) : 1;
  const groups = grouped(ran, (task) => Math.floor(task.node / size));
  const place = (moment: number) => (moment - start) / seconds;
  const bars = size === 1 && ran.length <= BARS;
  const most = bars ? 1 : Math.max(...[...groups.values()].map((group) => Math.max(...busy(group, place))));
  const rows = [...groups]
    .sort(([one], [other]) => one - other)
    .map(([group, own]) => ({
      label: size === 1 ? String(group) : `${group * size}–${(group + 1) * size - 1}`,
      marks: bars ? lanes(own, place) : bins(own, place, most, seconds),
    }));
  const queued = tasks.filter((task) => task.node < 0);
  if (queued.length > 0) rows.push({ label: "queue", marks: lanes(queued.slice(0, QUEUED), place) });
  return { start, seconds, rows };
}

/** What is said of one task. */
export function described(task: Task): string {
  const what = `${task.name || "task"} ${task.task}`;
  if (task.state === "waiting") {
    const where = task.node < 0 ? "waits for a free slot" : `waits on node ${task.node}`;
    return `${what} ${where} · for ${span(task.ended - task.queued)}`;
  }
  const parts = [`${what} on node ${task.node}`, `waited ${span(task.began - task.queued)}`];
  if (task.state === "running") return [...parts, `runs for ${span(task.ended - task.began)}`].join(" · ");
  parts.push(`ran ${span(task.ended - task.began)}`, `back in ${span(task.received - task.ended)}`);
  if (task.error !== "") parts.push(`✕ ${task.error}`);
  return parts.join(" · ");
}

function grouped(tasks: Task[], key: (task: Task) => number): Map<number, Task[]> {
  const groups = new Map<number, Task[]>();
  for (const task of tasks) {
    const group = groups.get(key(task));
    if (group === undefined) groups.set(key(task), [task]);
    else group.push(task);
  }
  return groups;
}

/** A mark per task; those that ran at the same time share the height, and so do those that wait. */
function lanes(tasks: Task[], place: (moment: number) => number): Mark[] {
  const waiting = tasks.filter((task) => task.state === "waiting");
  const shown = [
    ...tasks.filter((task) => task.state !== "waiting"),
    ...waiting.slice(0, waiting[0]?.node === -1 ? QUEUED : WAITING),
  ];
  const free: number[] = [];
  const lane = shown.map((task) => {
    // Moments are estimated to a fraction of a millisecond. A line of one that waits now is not drawn through bars.
    const from = task.state === "waiting" ? task.queued : task.began;
    const found = free.findIndex((moment) => moment <= from + 1e-3);
    const own = found < 0 ? free.length : found;
    free[own] = task.ended;
    return own;
  });
  return shown.map((task, at) => ({
    wait: place(task.queued),
    start: place(task.began),
    end: place(task.ended),
    top: (lane[at] ?? 0) / free.length,
    height: 1 / free.length,
    state: task.state,
    name: task.name,
    says: () => described(task),
  }));
}

/** How many of `tasks` ran in each part of the time, on average. */
function busy(tasks: Task[], place: (moment: number) => number): number[] {
  const found = new Array<number>(BINS).fill(0);
  for (const task of tasks) {
    const [began, ended] = [place(task.began) * BINS, place(task.ended) * BINS];
    for (let bin = Math.min(Math.floor(began), BINS - 1); bin < BINS && bin <= ended; bin++) {
      found[bin] = (found[bin] ?? 0) + Math.max(0, Math.min(ended, bin + 1) - Math.max(began, bin));
    }
  }
  return found;
}

/** A mark per part of the time in which something ran or ended, as high as that was much. */
function bins(tasks: Task[], place: (moment: number) => number, most: number, seconds: number): Mark[] {
  const over = tasks.filter((task) => task.state !== "running" && task.state !== "waiting");
  const ended = grouped(over, (task) => Math.min(Math.floor(place(task.ended) * BINS), BINS - 1));
  const began = tasks.filter((task) => task.state !== "waiting");
  return busy(began, place).flatMap((load, bin) => {
    const own = ended.get(bin) ?? [];
    if (load === 0 && own.length === 0) return [];
    const errors = own.filter((task) => task.state === "failed");
    const height = Math.max(load / (most || 1), 0.08);
    const [start, end] = [bin / BINS, (bin + 1) / BINS];
    const only = own.length === 1 ? own[0] : undefined;
    const says = () =>
      only !== undefined
        ? described(only)
        : [
            `${span(start * seconds)} to ${span(end * seconds)}`,
            `${plural(own.length, "task")} ended`,
            `${load.toFixed(1)} ran at a time`,
            ...(errors.length > 0 ? [`✕ ${count(errors.length)} with ${errors[0]?.error}`] : []),
          ].join(" · ");
    const state: State = errors.length > 0 ? "failed" : "done";
    return [{ wait: start, start, end, top: 1 - height, height, state, name: commonest(own), says }];
  });
}

/** The name that most of them have. */
function commonest(tasks: Task[]): string {
  const names = [...named(tasks)].sort(([, one], [, other]) => other - one);
  return names[0]?.[0] ?? "";
}

function named(tasks: Task[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { name } of tasks) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
