/** When tasks run and ran, and where: a row per node. One of them is chosen, by pointer or by keys, and described. */

import { useMemo, useState } from "preact/hooks";
import type { Colours } from "../colours";
import { count, plural } from "../format";
import { laidOut, type Mark, type Picture, type Row } from "../lanes";
import type { Pool } from "../pool";
import { latest, type State, type Task } from "../tasks";
import { stepOf, ticks, told } from "../ticks";

/** The drawing is so wide, whatever room it gets; its height is that of its rows in pixels. */
const WIDTH = 1000;
const [PADDING, NARROWEST] = [2, 1.2];
/** The most ticks, and the most names that the legend has. */
const [TICKS, NAMED] = [5, 8];

interface TimelineProps {
  pool: Pool;
  /** Tell the kernel whether tasks are drawn. */
  fold: (folded: boolean) => void;
}

export function Timeline({ pool, fold }: TimelineProps) {
  const [open, setOpen] = useState(true);
  const [all, setAll] = useState(false);
  const { kept, ongoing, colours } = pool.tasks;
  // What goes on grows; a picture of what has ended stays as it is.
  const now = ongoing.length > 0 ? pool.now : 0;
  const tasks = useMemo(() => {
    if (!open) return [];
    const known = pool.tasks.at(now);
    return all ? known : latest(known);
  }, [open, all, kept, ongoing, now]);
  const picture = useMemo(() => laidOut(tasks), [tasks]);
  if (kept.length === 0 && ongoing.length === 0) return null;
  const toggle = (now: boolean) => {
    if (now === open) return;
    setOpen(now);
    fold(!now);
  };
  return (
    <details class="timeline" open={open} onToggle={(event) => toggle(event.currentTarget.open)}>
      <summary>Timeline</summary>
      {picture !== undefined && (
        <Drawing
          {...{ picture, tasks, colours, all, setAll }}
          kept={kept.length + ongoing.length}
          live={pool.tasks.ongoing.length > 0}
        />
      )}
    </details>
  );
}

interface DrawingProps {
  picture: Picture;
  tasks: Task[];
  colours: Colours;
  live: boolean;
  all: boolean;
  setAll: (all: boolean) => void;
  kept: number;
}

function Drawing({ picture, tasks, colours, all, setAll, kept, live }: DrawingProps) {
  const [at, choose] = useState<[number, number]>();
  const { rows, start, seconds } = picture;
  const marks = ticks(start, seconds, TICKS);
  const share = (moment: number) => (moment - start) / seconds;
  const cells = all ? cellsOf(tasks) : [];
  const height = rows.length <= 8 ? 20 : rows.length <= 25 ? 13 : 9;
  const row = at && rows[Math.min(at[0], rows.length - 1)];
  const mark = at && row?.marks[Math.min(at[1], row.marks.length - 1)];
  const move = (event: KeyboardEvent) => {
    const next = moved(rows, at, event.key);
    if (next === undefined) return;
    event.preventDefault();
    choose(next);
  };
  const point = (event: PointerEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const down = Math.floor((event.clientY - box.top) / height);
    const near = nearest(rows[down], (event.clientX - box.left) / box.width);
    if (near !== undefined) choose([down, near]);
  };
  const total = rows.reduce((sum, { marks }) => sum + marks.length, 0);
  const before = rows.slice(0, at?.[0] ?? 0).reduce((sum, { marks }) => sum + marks.length, 0);
  return (
    <div class={live ? "drawing live" : "drawing"}>
      <p class="about">{about(tasks, start, seconds)}</p>
      <div class="labels" aria-hidden="true" style={{ fontSize: `${Math.min(11, height)}px` }}>
        {rows.map(({ label }) => (
          <div key={label} style={{ height: `${height}px`, lineHeight: `${height}px` }}>
            {label}
          </div>
        ))}
      </div>
      <div
        class="lanes"
        role="slider"
        tabIndex={0}
        aria-label="Tasks by node and time; arrow keys go from one to the next"
        aria-valuemin={0}
        aria-valuemax={Math.max(total - 1, 0)}
        aria-valuenow={Math.min(before + (at?.[1] ?? 0), Math.max(total - 1, 0))}
        aria-valuetext={mark?.says() ?? "none chosen"}
        onKeyDown={move}
        onPointerMove={point}
        onPointerDown={point}
      >
        <svg
          viewBox={`0 0 ${WIDTH} ${rows.length * height}`}
          height={rows.length * height}
          preserveAspectRatio="none"
          aria-hidden="true"
          focusable="false"
        >
          <path
            class="grid-lines"
            d={marks.map(({ moment }) => `M${x(share(moment))} 0V${rows.length * height}`).join("")}
          />
          <Shapes rows={rows} height={height} colours={colours} />
          <path
            class="cell-lines"
            d={cells.map(([, moment]) => `M${x(share(moment))} 0V${rows.length * height}`).join("")}
          />
          {mark !== undefined && <path class="chosen" d={box(mark, (at?.[0] ?? 0) * height, height)} />}
        </svg>
      </div>
      <div class="ticks" aria-hidden="true">
        {marks.map(({ moment, label }) => (
          <span key={moment} style={placed(share(moment))}>
            {label}
          </span>
        ))}
      </div>
      {cells.length > 1 && (
        <div class="ticks cells" aria-hidden="true">
          {cells.map(([cell, moment]) => (
            <span key={cell} style={{ left: `${share(moment) * 100}%` }}>
              [{cell}]
            </span>
          ))}
        </div>
      )}
      <Legend tasks={tasks} colours={colours} />
      <div class="says">
        <span>{mark?.says() ?? "Point at a task, or use the arrow keys."}</span>
        <button type="button" aria-pressed={all} onClick={() => setAll(!all)}>
          All {count(kept)}
        </button>
      </div>
    </div>
  );
}

/** A tick's place; at the ends its label stays within the picture. */
function placed(share: number): { left: string; transform: string } {
  const back = Math.min(Math.max(share, 0), 1);
  return { left: `${share * 100}%`, transform: `translateX(${back < 0.06 ? 0 : back > 0.94 ? -100 : -50}%)` };
}

/** The cells that called the tasks, each with the moment of its first call. */
function cellsOf(tasks: Task[]): [cell: number, moment: number][] {
  const first = new Map<number, number>();
  for (const { cell, queued } of tasks) {
    if (cell > 0) first.set(cell, Math.min(first.get(cell) ?? queued, queued));
  }
  return [...first].sort(([, one], [, other]) => one - other);
}

/** What is drawn, in a line: of which cell, when, and how many there are of each kind. */
function about(tasks: Task[], start: number, seconds: number): string {
  const cells = new Set(tasks.map((task) => task.cell));
  const [cell] = cells;
  const step = Math.min(stepOf(seconds, TICKS), 1);
  const counts: [State, string][] = [
    ["done", "done"],
    ["failed", "failed"],
    ["cancelled", "cancelled"],
    ["running", "running"],
    ["waiting", "waiting"],
  ];
  const said = counts
    .map(([state, word]) => [tasks.filter((task) => task.state === state).length, word] as const)
    .filter(([found]) => found > 0)
    .map(([found, word]) => `${count(found)} ${word}`);
  const which = cells.size > 1 ? plural(cells.size, "cell") : cell ? `In [${cell}]` : "";
  const when = `${told(start, step)} to ${told(start + seconds, step)}`;
  return [...(which === "" ? [] : [which]), when, said.join(", ")].join(" · ");
}

/** Which colour is which function. */
function Legend({ tasks, colours }: { tasks: Task[]; colours: Colours }) {
  const names = [...new Set(tasks.map((task) => task.name))].filter((name) => name !== "");
  return (
    <ul class="legend" aria-label="Functions">
      {names.slice(0, NAMED).map((name) => (
        <li key={name}>
          <i class={`swatch f${colours.of(name)}`} aria-hidden="true" /> {name}
        </li>
      ))}
      {names.length > NAMED && <li>and {count(names.length - NAMED)} more</li>}
    </ul>
  );
}

interface ShapesProps {
  rows: Row[];
  height: number;
  colours: Colours;
}

/** All rows in a path for each kind, and each function, however many tasks there are. */
function Shapes({ rows, height, colours }: ShapesProps) {
  const shapes = useMemo(() => {
    const paths: Record<string, string> = { waits: "", errors: "", cancelled: "", crosses: "" };
    const add = (kind: string, path: string) => {
      paths[kind] = (paths[kind] ?? "") + path;
    };
    rows.forEach(({ marks }, place) => {
      for (const mark of marks) {
        const y = place * height;
        const middle = y + (mark.top + mark.height / 2) * height;
        if (mark.start > mark.wait) add("waits", `M${x(mark.wait)} ${middle.toFixed(1)}H${x(mark.start)}`);
        if (mark.state !== "waiting") add(kindOf(mark, colours), box(mark, y, height));
        if (mark.state === "failed") add("crosses", `M${x(mark.end) - 3} ${middle - 3}l6 6m0 -6l-6 6`);
      }
    });
    return paths;
  }, [rows, height, colours]);
  return (
    <>
      {Object.entries(shapes)
        .sort(([one], [other]) => order(one) - order(other))
        .map(([kind, path]) => (
          <path key={kind} class={kind} d={path} />
        ))}
    </>
  );
}

function kindOf({ state, name }: Mark, colours: Colours): string {
  if (state === "failed") return "errors";
  if (state === "cancelled") return "cancelled";
  return `${state === "running" ? "running" : "runs"} f${colours.of(name)}`;
}

/** Lines are below bars, crosses above them. */
function order(kind: string): number {
  return kind === "waits" ? 0 : kind === "crosses" ? 2 : 1;
}

function x(share: number): number {
  return Number((share * WIDTH).toFixed(1));
}

function box(mark: Mark, y: number, height: number): string {
  const width = Math.max(x(mark.end) - x(mark.start), NARROWEST);
  const room = height - 2 * PADDING;
  const [top, tall] = [y + PADDING + mark.top * room, Math.max(mark.height * room - 0.5, 1)];
  return `M${x(mark.start)} ${top.toFixed(1)}h${width.toFixed(1)}v${tall.toFixed(1)}h-${width.toFixed(1)}z`;
}

/** The mark of a row that is nearest to a place. */
function nearest(row: Row | undefined, place: number): number | undefined {
  const away = row?.marks.map((mark) => Math.max(mark.start - place, place - mark.end, 0)) ?? [];
  const least = Math.min(...away);
  return away.length > 0 ? away.lastIndexOf(least) : undefined;
}

/** Where a key leads from what is chosen; undefined when it leads nowhere. */
function moved(rows: Row[], at: [number, number] | undefined, key: string): [number, number] | undefined {
  const [row, place] = at ?? [0, -1];
  const marks = rows[row]?.marks ?? [];
  const other = (by: number): [number, number] | undefined => {
    const next = nearest(rows[row + by], marks[Math.max(place, 0)]?.start ?? 0);
    return next === undefined ? undefined : [row + by, next];
  };
  switch (key) {
    case "ArrowRight":
      return [row, Math.min(place + 1, marks.length - 1)];
    case "ArrowLeft":
      return [row, Math.max(place - 1, 0)];
    case "Home":
      return [row, 0];
    case "End":
      return [row, marks.length - 1];
    case "ArrowDown":
      return at === undefined ? [0, 0] : other(1);
    case "ArrowUp":
      return at === undefined ? [0, 0] : other(-1);
    default:
      return undefined;
  }
}
