/** The form that asks for another number of nodes. What may be asked is the pool's to judge. */

import { useEffect, useState } from "preact/hooks";
import type { Command, Snapshot } from "../wire";

interface ScaleProps {
  snapshot: Snapshot;
  enabled: boolean;
  send: (command: Command) => void;
}

export function Scale({ snapshot, enabled, send }: ScaleProps) {
  const { smallest, largest } = snapshot;
  const size = snapshot.nodes.length;
  const [draft, setDraft] = useState(String(size));
  useEffect(() => setDraft(String(size)), [size, enabled]);
  const wanted = /^\d+$/.test(draft.trim()) ? Number(draft) : undefined;
  const step = (by: number) =>
    setDraft(String(Math.min(Math.max((wanted ?? size) + by, smallest), Math.max(largest, smallest))));
  const submit = (event: Event) => {
    event.preventDefault();
    if (enabled && wanted !== undefined && wanted !== size) send({ kind: "scale", nodes: wanted });
  };
  const stepper = (label: string, sign: string, by: number, end: number) => (
    <button
      type="button"
      class="step"
      aria-label={label}
      disabled={!enabled || wanted === end}
      onClick={() => step(by)}
    >
      {sign}
    </button>
  );
  return (
    <form class="scale" noValidate onSubmit={submit} aria-label="Scale the pool">
      <span class="stepper">
        {stepper("One node fewer", "−", -1, smallest)}
        <input
          type="number"
          aria-label={`Number of nodes, ${smallest} to ${largest}`}
          min={smallest}
          max={largest}
          value={draft}
          disabled={!enabled}
          onInput={(event) => setDraft(event.currentTarget.value)}
        />
        {stepper("One node more", "+", 1, largest)}
      </span>
      <button type="submit" disabled={!enabled || wanted === undefined || wanted === size}>
        Scale
      </button>
    </form>
  );
}
