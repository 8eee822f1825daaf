/** The pool's numbers as a whole. */

import type { ComponentChild } from "preact";
import { cores, count, memory, plural, rate } from "../format";
import { type Pool, total } from "../pool";
import { highest, Sparkline } from "./sparkline";

export function Figures({ pool }: { pool: Pool }) {
  const shown = (text: string) => (pool.known ? text : "–");
  const { cells } = pool;
  const peak = highest(pool.history);
  return (
    <div class="figures">
      <Figure
        name="Tasks/s"
        value={shown(rate(pool.rate))}
        unit={peak > 0 ? `peak ${rate(peak)}` : ""}
        picture={<Sparkline history={pool.history} now={pool.rate} />}
      />
      <Figure name="Queued" value={shown(count(pool.queued))} />
      <Figure
        name="Running"
        value={shown(count(total(cells, "running")))}
        unit={`/ ${plural(total(cells, "slots"), "slot")}`}
      />
      <Ends pool={pool} />
      <Figure name="CPU" value={shown(cores(total(cells, "cpu")))} unit="cores" />
      <Figure name="Memory" value={shown(memory(total(cells, "memory")))} />
    </div>
  );
}

/** What remains to be said of a pool that is over. */
export function FinalFigures({ pool }: { pool: Pool }) {
  const peak = highest(pool.history);
  const picture = <Sparkline history={pool.history} now={pool.rate} />;
  return (
    <div class="figures">
      {peak > 0 && <Figure name="Last peak" value={rate(peak)} unit="tasks/s" picture={picture} />}
      <Ends pool={pool} />
    </div>
  );
}

/** How tasks ended; that none failed or was cancelled goes without saying. */
function Ends({ pool }: { pool: Pool }) {
  const [done, failed, cancelled] = pool.ended;
  return (
    <>
      <Figure name="Done" value={count(done)} unit={done === 1 ? "task" : "tasks"} />
      {failed > 0 && <Figure name="Failed" value={count(failed)} />}
      {cancelled > 0 && <Figure name="Cancelled" value={count(cancelled)} />}
    </>
  );
}

interface FigureProps {
  name: string;
  value: string;
  unit?: string;
  picture?: ComponentChild;
}

function Figure({ name, value, unit = "", picture }: FigureProps) {
  return (
    <div class={picture === undefined ? "figure" : "figure wide"}>
      <div class="what">{name}</div>
      <div class="value">
        <span>{value}</span>
        {value !== "–" && unit !== "" && <span class="unit"> {unit}</span>}
      </div>
      {picture}
    </div>
  );
}
