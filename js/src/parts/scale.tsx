/** The form that asks for another number of nodes. What may be asked is the pool's to judge. */

import { useEffect, useState } from "preact/hooks";
import type { Command, Snapshot } from "../wire";

interface ScaleProps {
  snapshot: Snapshot;
  enabled: boolean;
  send: (command: Command) => void;
}

export function Scale({ snapshot, enabled, send }: ScaleProps) {
  const { smallest, largest, limit = "" } = snapshot;
  const size = snapshot.nodes.length;
  const [draft, setDraft] = useState(String(size));
  const [why, say] = useState("");
  useEffect(() => {
    setDraft(String(size));
    say("");
  }, [size, enabled]);
  const wanted = /^\d+$/.test(draft.trim()) ? Number(draft) : undefined;
  const most = Math.max(largest, smallest);
  /** Take what is asked for, as far as it goes. */
  const take = (asked: number | undefined, text: string) => {
    const beyond = asked !== undefined && asked > most;
    setDraft(beyond ? String(most) : text);
    say(
      asked === undefined || asked < most
        ? ""
        : limit === ""
          ? `at most ${most}`
          : `at most ${most}: ${limit}`,
    );
  };
  const step = (by: number) => {
    const asked = Math.min(Math.max((wanted ?? size) + by, smallest), most);
    take(asked, String(asked));
  };
  const low = wanted !== undefined && wanted < smallest && wanted !== size;
  const submit = (event: Event) => {
    event.preventDefault();
    if (enabled && wanted !== undefined && !low && wanted !== size) send({ kind: "scale", nodes: wanted });
  };
  const stepper = (label: string, sign: string, by: number, end: number) => (
    <button
      type="button"
      class="step"
      aria-label={label}
      disabled={!enabled || wanted === end}
      title={wanted === end && by > 0 ? `At most ${most}${limit === "" ? "" : `: ${limit}`}` : undefined}
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
          onInput={(event) => {
            const text = event.currentTarget.value;
            take(/^\d+$/.test(text.trim()) ? Number(text) : undefined, text);
            // What is more than allowed is not kept even when the number that is shown stays as it was.
            if (Number(text) > most) event.currentTarget.value = String(most);
          }}
        />
        {stepper("One node more", "+", 1, largest)}
      </span>
      <button type="submit" disabled={!enabled || wanted === undefined || low || wanted === size}>
        Scale
      </button>
      <span class="why" aria-live="polite">
        {low ? `at least ${smallest}` : why}
      </span>
    </form>
  );
}
