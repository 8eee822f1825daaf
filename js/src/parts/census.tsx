/** How many nodes are in each state; each count is also the filter that shows only those. */

import { capital, count } from "../format";
import type { Census } from "../pool";
import { type NodeState, STATES } from "../wire";
import { Glyph } from "./glyph";

interface CensusProps {
  census: Census;
  only: NodeState | undefined;
  choose: (only: NodeState | undefined) => void;
}

export function CensusBar({ census, only, choose }: CensusProps) {
  return (
    <div class="census" role="group" aria-label="Nodes by state">
      {STATES.map((state) => (
        <button
          key={state}
          type="button"
          class={`chip ${state}`}
          aria-pressed={only === state}
          title={only === state ? "Show all nodes" : `Show only ${state} nodes`}
          disabled={census[state] === 0 && only !== state}
          onClick={() => choose(only === state ? undefined : state)}
        >
          <Glyph state={state} />
          {capital(state)} <b>{count(census[state])}</b>
        </button>
      ))}
      <div class="share" aria-hidden="true">
        {STATES.map((state) => (
          <i key={state} class={state} style={{ flexGrow: census[state] }} />
        ))}
      </div>
    </div>
  );
}
