/** The last minute of throughput as a line. */

import { rate } from "../format";
import type { History } from "../history";

const [WIDTH, HEIGHT] = [120, 32];

export function Sparkline({ history, now }: { history: History; now: number }) {
  const values = history.values();
  const peak = highest(history);
  const runs = unbroken(values, Math.max(peak, 1));
  const label = `Throughput in the last minute: now ${rate(now)}, peak ${rate(peak)} tasks per second`;
  return (
    <div class="sparkline">
      <svg role="img" aria-label={label} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none">
        <path class="base" d={`M0 ${HEIGHT - 0.5}H${WIDTH}`} />
        {runs.map((run) => (
          <g key={run.start}>
            <path class="area" d={`${run.line}L${run.end} ${HEIGHT}L${run.start} ${HEIGHT}Z`} />
            <path class="line" d={run.line} />
          </g>
        ))}
      </svg>
    </div>
  );
}

/** The highest rate of the last minute. */
export function highest(history: History): number {
  return Math.max(0, ...history.values().filter(Number.isFinite));
}

interface Run {
  start: number;
  end: number;
  line: string;
}

/** Lines through the neighbouring values; a gap in them is a gap in the picture. */
function unbroken(values: number[], peak: number): Run[] {
  const runs: Run[] = [];
  let run: Run | undefined;
  const step = WIDTH / (values.length - 1);
  for (const [place, value] of values.entries()) {
    if (Number.isNaN(value)) {
      run = undefined;
      continue;
    }
    const x = Number((place * step).toFixed(1));
    const y = (HEIGHT - 1 - (value / peak) * (HEIGHT - 3)).toFixed(1);
    if (run === undefined) {
      run = { start: x, end: x, line: `M${x} ${y}` };
      runs.push(run);
    } else {
      run.end = x;
      run.line += `L${x} ${y}`;
    }
  }
  return runs;
}
