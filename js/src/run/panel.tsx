/** A run as a whole: what it is and how it stands, its nodes, its bars, its output. */

import { useState } from "preact/hooks";
import { capital, duration, plural } from "../format";
import type { Hearing } from "../hearing";
import type { Model } from "../model";
import { Cut } from "../parts/cut";
import { Bars } from "./bars";
import type { Feed, Snapshot } from "./feed";
import { LogView } from "./log";
import { Nodes } from "./nodes";
import { Pictures } from "./pictures";

interface PanelProps {
  model: Model;
  feed: Feed;
  hearing: Hearing;
}

export function Panel({ model, feed, hearing }: PanelProps) {
  const snapshot = model.get("snapshot") as Snapshot;
  const [open, setOpen] = useState(model.get("opened") as boolean);
  const lines = feed.log.end - feed.log.first;
  return (
    <section class={`panel ${snapshot.state}`} aria-label={`Run of ${snapshot.title || "a cell"}`}>
      <header>
        <div class="title">
          <code class="name" title={snapshot.title}>
            {snapshot.title}
          </code>
          <span class={`badge ${snapshot.state}`}>{capital(snapshot.state)}</span>
          <span class="facts">
            <span>{plural(snapshot.nodes.length, "node")}</span>
            <span class="age">{duration(feed.age(snapshot, hearing.cut ? hearing.last : Date.now()))}</span>
          </span>
        </div>
        {snapshot.state === "running" && (
          <Stop model={model} feed={feed} hearing={hearing} stops={snapshot.stops} />
        )}
      </header>
      <Cut hearing={hearing} />
      {feed.unreachable && (
        <p role="alert" class="refusal">
          The kernel cannot be reached, so nothing was asked of it.
        </p>
      )}
      {snapshot.nodes.length > 1 && <Nodes nodes={snapshot.nodes} />}
      <Bars bars={feed.bars} texts={feed.texts} />
      <details class="output" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          Output <span class="quiet">{plural(lines, "line")}</span>
        </summary>
        {open && <LogView log={feed.log} version={feed.log.version} nodes={snapshot.nodes} />}
      </details>
      <Pictures pictures={feed.pictures} />
      <p class="aside" role="status" aria-live="polite">
        {spoken(snapshot)}
      </p>
    </section>
  );
}

/** Interrupts the run; what has been interrupted and goes on can be ended harder. */
function Stop({ model, feed, hearing, stops }: PanelProps & { stops: number }) {
  const ask = () => feed.ask(model, { kind: "stop" });
  return (
    <div class="controls" role="group" aria-label="Controls">
      {stops > 0 && <span class="quiet">interrupted, waiting for it to stop</span>}
      <button
        type="button"
        disabled={hearing.cut}
        class={stops > 0 ? "danger" : ""}
        title={
          stops > 0
            ? "End the processes that run it, and their names with them"
            : "Interrupt the code on all its nodes"
        }
        onClick={ask}
      >
        {stops > 0 ? "End processes" : "Interrupt"}
      </button>
    </div>
  );
}

/** Changes only with the slow state, so that a screen reader is not flooded. */
function spoken({ state, nodes }: Snapshot): string {
  const failed = nodes.filter(([, state]) => state === "failed").length;
  const done = nodes.filter(([, state]) => state === "done").length;
  const parts = [`The run is ${state}`, `${done} of ${plural(nodes.length, "node")} done`];
  if (failed > 0) parts.push(`${failed} failed`);
  return parts.join(", ");
}
