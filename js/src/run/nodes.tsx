/** How far the nodes are: one mark each, with words where there is room, and counts where there are many. */

import { count } from "../format";
import { Glyph } from "../parts/glyph";
import { type NodePart, STATES } from "./feed";

/** So many are told one by one. */
const LISTED = 24;

export function Nodes({ nodes }: { nodes: NodePart[] }) {
  return nodes.length > LISTED ? <Counts nodes={nodes} /> : <List nodes={nodes} />;
}

function List({ nodes }: { nodes: NodePart[] }) {
  return (
    <ul class="parts" aria-label="Nodes">
      {nodes.map(([rank, state, reason]) => (
        <li key={rank} class={`part ${state}`} title={reason}>
          <b>
            <span class="aside">Node </span>
            {rank}
          </b>
          <Glyph state={state} /> {state}
        </li>
      ))}
    </ul>
  );
}

function Counts({ nodes }: { nodes: NodePart[] }) {
  const failed = nodes.filter(([, state]) => state === "failed");
  return (
    <>
      <ul class="parts" aria-label="Nodes by state">
        {STATES.map((state) => (
          <li key={state} class={`part ${state}`}>
            <Glyph state={state} /> {state} <b>{count(nodes.filter((node) => node[1] === state).length)}</b>
          </li>
        ))}
      </ul>
      {failed.length > 0 && <List nodes={failed.slice(0, LISTED)} />}
    </>
  );
}
