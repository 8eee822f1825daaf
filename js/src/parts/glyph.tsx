/** A small shape per state, so that no state is told by its colour alone. */

import type { NodeState as PartState } from "../run/feed";
import type { NodeState } from "../wire";

const WAITS = "M5 1.6a3.4 3.4 0 1 0 0 6.8a3.4 3.4 0 0 0 0-6.8M5 3v2.2l1.5 1";
const RUNS = "M2.6 1.4v7.2l6-3.6z";
const WRONG = "M2 2l6 6M8 2l-6 6";

/** The states of a node, and of a run on one. */
const SHAPES: Record<NodeState | PartState, string> = {
  idle: "M5 1.6a3.4 3.4 0 1 0 0 6.8a3.4 3.4 0 0 0 0-6.8z",
  waiting: WAITS,
  active: RUNS,
  lost: WRONG,
  queued: WAITS,
  running: RUNS,
  done: "M1.8 5.4l2.2 2.4l4.4-5.6",
  failed: WRONG,
};

export function Glyph({ state }: { state: NodeState | PartState }) {
  return (
    <svg class={`glyph ${state}`} viewBox="0 0 10 10" aria-hidden="true" focusable="false">
      <path d={SHAPES[state]} />
    </svg>
  );
}
