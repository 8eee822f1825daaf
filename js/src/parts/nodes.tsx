/** The nodes: a tile each, smaller ones for many, a row per state for very many. */

import { duration, plural } from "../format";
import type { Cell, Pool } from "../pool";
import type { NodeState } from "../wire";
import { Aggregate } from "./aggregate";
import { Tile } from "./tile";

const ROOMY = 16;
const TILED = 200;
const COLUMNS = ["Node", "State", "CPU", "Memory", "Tasks", "Phase and boot log"];

interface NodesProps {
  pool: Pool;
  over: boolean;
  only: NodeState | undefined;
}

export function Nodes({ pool, over, only }: NodesProps) {
  const cells = only === undefined ? pool.cells : pool.cells.filter((cell) => cell.state === only);
  if (cells.length > TILED) return <Aggregate cells={cells} />;
  if (cells.length === 0) return <p class="none">{absent(pool.cells, only)}</p>;
  return (
    <div class="scroll" role="region" aria-label="Nodes">
      <div class={pool.cells.length > ROOMY ? "grid dense" : "grid"} role="table" aria-label="Nodes">
        <div role="row" class="aside">
          {COLUMNS.map((name) => (
            <span key={name} role="columnheader">
              {name}
            </span>
          ))}
        </div>
        {cells.map((cell) => (
          <Tile
            key={cell.rank}
            cell={cell}
            over={over}
            time={time(pool, cell)}
            log={pool.log(cell.rank)}
            gpus={pool.gpus(cell.rank)}
          />
        ))}
      </div>
    </div>
  );
}

/** For how long a node has been at something that does not go on for ever. */
function time({ now }: Pool, { reachable, state, since }: Cell): string {
  return since > 0 && (state === "waiting" || !reachable) ? duration(now - since) : "";
}

function absent(all: Cell[], only: NodeState | undefined): string {
  return only === undefined ? "No nodes yet." : `None of the ${plural(all.length, "node")} is ${only}.`;
}
