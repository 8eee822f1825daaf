/** The pool's numbers as a whole. */

import type { ComponentChildren } from "preact";
import { cores, count, memory, plural, rate } from "../format";
import { type Pool, total } from "../pool";
import { highest, Sparkline } from "./sparkline";

export function Figures({ pool, over }: { pool: Pool; over: boolean }) {
  const shown = (text: string) => (pool.known && !over ? text : "–");
  const { cells } = pool;
  const peak = highest(pool.history);
  return (
    <div class="figures">
      <Figure name="Tasks/s" value={shown(rate(pool.rate))} unit={peak > 0 ? `peak ${rate(peak)}` : ""} wide>
        <Sparkline history={pool.history} now={pool.rate} />
      </Figure>
      <Figure name="Queued" value={shown(count(pool.queued))} />
      <Figure
        name="Running"
        value={shown(count(total(cells, "running")))}
        unit={`/ ${plural(total(cells, "slots"), "slot")}`}
      />
      <Figure name="Done" value={pool.known ? count(pool.finished) : "–"} />
      <Figure name="CPU" value={shown(cores(total(cells, "cpu")))} unit="cores" />
      <Figure name="Memory" value={shown(memory(total(cells, "memory")))} />
    </div>
  );
}

interface FigureProps {
  name: string;
  value: string;
  unit?: string;
  wide?: boolean;
  children?: ComponentChildren;
}

function Figure({ name, value, unit, wide, children }: FigureProps) {
  const none = value === "–";
  return (
    <div class={wide ? "figure wide" : "figure"}>
      <div class="what">{name}</div>
      <div class="value">
        <span>{value}</span>
        {!none && unit !== undefined && <span class="unit"> {unit}</span>}
      </div>
      {children}
    </div>
  );
}
