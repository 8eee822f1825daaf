/** The stop button, which asks once more before it acts. */

import { useEffect, useRef, useState } from "preact/hooks";
import { plural } from "../format";
import type { Command } from "../wire";

interface StopProps {
  nodes: number;
  enabled: boolean;
  send: (command: Command) => void;
}

export function Stop({ nodes, enabled, send }: StopProps) {
  const [asking, setAsking] = useState(false);
  const keep = useRef<HTMLButtonElement>(null);
  const stop = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (asking) keep.current?.focus();
  }, [asking]);
  const back = () => {
    setAsking(false);
    requestAnimationFrame(() => stop.current?.focus());
  };
  if (!asking || !enabled) {
    return (
      <button type="button" class="danger" ref={stop} disabled={!enabled} onClick={() => setAsking(true)}>
        Stop
      </button>
    );
  }
  return (
    <span
      class="confirm"
      role="group"
      aria-label="Stop the pool?"
      onKeyDown={(event) => event.key === "Escape" && back()}
    >
      <span class="question">Stop {plural(nodes, "node")}?</span>
      <button
        type="button"
        class="danger sure"
        onClick={() => {
          setAsking(false);
          send({ kind: "stop" });
        }}
      >
        Stop pool
      </button>
      <button type="button" ref={keep} onClick={back}>
        Keep
      </button>
    </span>
  );
}
