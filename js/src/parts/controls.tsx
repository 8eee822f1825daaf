/** What a person can do to the pool. */

import type { Command, Snapshot } from "../wire";
import { Scale } from "./scale";
import { Stop } from "./stop";

interface ControlsProps {
  snapshot: Snapshot;
  send: (command: Command) => void;
}

export function Controls({ snapshot, send }: ControlsProps) {
  const ready = snapshot.state === "ready";
  return (
    <div class="controls" role="group" aria-label="Controls">
      <Scale snapshot={snapshot} enabled={ready} send={send} />
      <button
        type="button"
        disabled={!ready}
        title="Interrupt every running task"
        onClick={() => send({ kind: "interrupt" })}
      >
        Interrupt
      </button>
      <Stop nodes={snapshot.nodes.length} enabled={ready || snapshot.state === "starting"} send={send} />
    </div>
  );
}
