/** How far the nodes are: one mark each, with words where there is room, and counts where there are many. */

import { count } from "../format";
import { type NodePart, type NodeState, STATES } from "./feed";

/** So many are told one by one. */
const LISTED = 24;

const SHAPES: Record<NodeState, string> = {
  queued: "M5 1.6a3.4 3.4 0 1 0 0 6.8a3.4 3.4 0 0 0 0-6.8M5 3v2.2l1.5 1",
  running: "M2.6 1.4v7.2l6-3.6z",
  done: "M1.8 5.4l2.2 2.4l4.4-5.6",
  failed: "M2 2l6 6M8 2l-6 6",
};

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
          <Mark state={state} /> {state}
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
            <Mark state={state} /> {state} <b>{count(nodes.filter((node) => node[1] === state).length)}</b>
          </li>
        ))}
      </ul>
      {failed.length > 0 && <List nodes={failed.slice(0, LISTED)} />}
    </>
  );
}

function Mark({ state }: { state: NodeState }) {
  return (
    <svg class="mark" viewBox="0 0 10 10" aria-hidden="true" focusable="false">
      <path d={SHAPES[state]} />
    </svg>
  );
}
