/** When the last tasks ran, and where: a row per node. One of them is chosen, by pointer or by keys, and described. */

import { useMemo, useState } from "preact/hooks";
import { count, span } from "../format";
import { laidOut, type Mark, type Picture, type Row } from "../lanes";
import type { Pool } from "../pool";

/** The drawing is so wide, whatever room it gets; its height is that of its rows in pixels. */
const WIDTH = 1000;
const [PADDING, NARROWEST] = [2, 1.2];
const TICKS = [0, 0.25, 0.5, 0.75, 1];

interface TimelineProps {
  pool: Pool;
  /** Tell the kernel whether tasks are drawn. */
  fold: (folded: boolean) => void;
}

export function Timeline({ pool, fold }: TimelineProps) {
  const [open, setOpen] = useState(true);
  const [all, setAll] = useState(false);
  const { kept } = pool.tasks;
  const picture = useMemo(
    () => (open ? laidOut(all ? kept : pool.tasks.latest()) : undefined),
    [open, all, kept],
  );
  if (kept.length === 0) return null;
  const toggle = (now: boolean) => {
    if (now === open) return;
    setOpen(now);
    fold(!now);
  };
  return (
    <details class="timeline" open={open} onToggle={(event) => toggle(event.currentTarget.open)}>
      <summary>Timeline</summary>
      {picture !== undefined && <Drawing picture={picture} all={all} setAll={setAll} kept={kept.length} />}
    </details>
  );
}

interface DrawingProps {
  picture: Picture;
  all: boolean;
  setAll: (all: boolean) => void;
  kept: number;
}

function Drawing({ picture, all, setAll, kept }: DrawingProps) {
  const [at, choose] = useState<[number, number]>();
  const { rows, seconds } = picture;
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
    <div class="drawing">
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
            d={TICKS.map((tick) => `M${tick * WIDTH} 0V${rows.length * height}`).join("")}
          />
          <Shapes rows={rows} height={height} />
          {mark !== undefined && <path class="chosen" d={box(mark, (at?.[0] ?? 0) * height, height)} />}
        </svg>
      </div>
      <div class="ticks" aria-hidden="true">
        {TICKS.map((tick) => (
          <span key={tick} style={{ left: `${tick * 100}%`, transform: `translateX(${tick * -100}%)` }}>
            {tick === 0 ? "0" : span(tick * seconds)}
          </span>
        ))}
      </div>
      <div class="says">
        <span>{mark?.says() ?? "Point at a task, or use the arrow keys."}</span>
        <button type="button" aria-pressed={all} onClick={() => setAll(!all)}>
          All {count(kept)}
        </button>
      </div>
    </div>
  );
}

/** All rows in four paths, however many tasks there are. */
function Shapes({ rows, height }: { rows: Row[]; height: number }) {
  const shapes = useMemo(() => {
    const paths = { waits: "", runs: "", errors: "", crosses: "" };
    rows.forEach(({ marks }, place) => {
      for (const mark of marks) {
        const y = place * height;
        paths[mark.error ? "errors" : "runs"] += box(mark, y, height);
        const middle = y + (mark.top + mark.height / 2) * height;
        if (mark.start > mark.wait) paths.waits += `M${x(mark.wait)} ${middle}H${x(mark.start)}`;
        if (mark.error) paths.crosses += `M${x(mark.end) - 3} ${middle - 3}l6 6m0 -6l-6 6`;
      }
    });
    return paths;
  }, [rows, height]);
  return (
    <>
      {Object.entries(shapes).map(([kind, path]) => (
        <path key={kind} class={kind} d={path} />
      ))}
    </>
  );
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
