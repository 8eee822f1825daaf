/** A number in the last minute as a line of steps: it stays what it was until it changes. */

import type { Point } from "../rows";

const [WIDTH, HEIGHT] = [240, 48];
export const SPAN_S = 60;

interface CurveProps {
  points: Point[];
  now: number;
  label: string;
}

export function Curve({ points, now, label }: CurveProps) {
  const { runs, low, high } = drawn(points, now);
  return (
    <div class="curve">
      <svg role="img" aria-label={label} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none">
        <path class="base" d={`M0 ${HEIGHT - 0.5}H${WIDTH}`} />
        {runs.map((run) => (
          <g key={run.from}>
            <path class="area" d={`${run.line}V${HEIGHT}H${run.from}Z`} />
            <path class="line" d={run.line} />
          </g>
        ))}
      </svg>
      <span class="ends" aria-hidden="true">
        <span>{short(high)}</span>
        <span>{short(low) === short(high) ? "" : short(low)}</span>
      </span>
      <span class="span" aria-hidden="true">
        <span>1 min ago</span>
        <span>now</span>
      </span>
    </div>
  );
}

/** How much it changed per second, over the last `seconds` for which it is known. */
export function speed(points: Point[], now: number, seconds: number): number {
  let known: Point[] = [];
  for (const point of points) known = point[1] === null ? [] : [...known, point];
  const before = known.filter(([at]) => at <= now - seconds).at(-1);
  const first = before ?? known[0];
  const last = known.at(-1);
  if (first === undefined || last === undefined) return 0;
  const since = before === undefined ? Math.max(1, now - first[0]) : seconds;
  return ((last[1] ?? 0) - (first[1] ?? 0)) / since;
}

interface Run {
  from: number;
  line: string;
}

function drawn(points: Point[], now: number): { runs: Run[]; low: number; high: number } {
  const begin = now - SPAN_S;
  const seen = points.filter(([at], place) => at >= begin || (points[place + 1]?.[0] ?? now) > begin);
  const values = seen.map(([, value]) => value).filter((value) => value !== null);
  const [low, high] = [Math.min(0, ...values), Math.max(1, ...values)];
  // Far from zero, what changes is what is worth the room.
  const floor = low === 0 && values.length > 0 && Math.min(...values) > high / 2 ? Math.min(...values) : low;
  const y = (value: number) =>
    (HEIGHT - 2 - ((value - floor) / (high - floor || 1)) * (HEIGHT - 6)).toFixed(1);
  const x = (at: number) => Number(((Math.max(0, at - begin) / SPAN_S) * WIDTH).toFixed(1));
  const runs: Run[] = [];
  let run: Run | undefined;
  for (const [place, [at, value]] of seen.entries()) {
    if (value === null) {
      run = undefined;
      continue;
    }
    const end = x(Math.min(now, seen[place + 1]?.[0] ?? now));
    if (run === undefined) {
      run = { from: x(at), line: `M${x(at)} ${y(value)}H${end}` };
      runs.push(run);
    } else {
      run.line += `V${y(value)}H${end}`;
    }
  }
  return { runs, low: floor, high };
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

function short(value: number): string {
  return Math.abs(value) < 10_000 ? String(Math.round(value)) : compact.format(value);
}
