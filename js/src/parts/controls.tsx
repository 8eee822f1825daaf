/** What a person can do to the pool. */

import type { Command, Snapshot } from "../wire";
import { Scale } from "./scale";
import { Stop } from "./stop";

interface ControlsProps {
  snapshot: Snapshot;
  /** Whether the kernel cannot be asked for anything. */
  cut: boolean;
  send: (command: Command) => void;
}

export function Controls({ snapshot, cut, send }: ControlsProps) {
  const ready = snapshot.state === "ready" && !cut;
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
      <Stop
        nodes={snapshot.nodes.length}
        enabled={ready || (snapshot.state === "starting" && !cut)}
        send={send}
      />
    </div>
  );
}
