/** A small shape per state, so that no state is told by its colour alone. */

import type { NodeState } from "../wire";

const SHAPES: Record<NodeState, string> = {
  idle: "M5 1.6a3.4 3.4 0 1 0 0 6.8a3.4 3.4 0 0 0 0-6.8z",
  waiting: "M5 1.6a3.4 3.4 0 1 0 0 6.8a3.4 3.4 0 0 0 0-6.8M5 3v2.2l1.5 1",
  active: "M2.6 1.4v7.2l6-3.6z",
  lost: "M2 2l6 6M8 2l-6 6",
};

export function Glyph({ state }: { state: NodeState }) {
  return (
    <svg class={`glyph ${state}`} viewBox="0 0 10 10" aria-hidden="true" focusable="false">
      <path d={SHAPES[state]} />
    </svg>
  );
}
