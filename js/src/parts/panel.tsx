/** The dashboard as a whole. */

import { useEffect, useState } from "preact/hooks";
import type { Hearing } from "../hearing";
import type { Pool } from "../pool";
import type { Command, NodeState } from "../wire";
import { CensusBar } from "./census";
import { Controls } from "./controls";
import { Cut } from "./cut";
import { Figures, FinalFigures } from "./figures";
import { Header } from "./header";
import { Nodes } from "./nodes";
import { Note, Refusal, Spoken } from "./notice";
import { Timeline } from "./timeline";

const SAID_MS = 4000;
const ATTACH = "While its nodes still run, %sky attach goes on with the pool.";

interface PanelProps {
  pool: Pool;
  hearing: Hearing;
  send: (command: Command) => void;
  /** Tell the kernel whether the timeline is folded away. */
  fold: (folded: boolean) => void;
}

export function Panel({ pool, hearing, send, fold }: PanelProps) {
  const [only, setOnly] = useState<NodeState>();
  const [said, say] = useState("");
  useEffect(() => {
    if (said === "") return;
    const timer = setTimeout(() => say(""), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const { snapshot } = pool;
  const over = ["stopped", "failed", "taken"].includes(snapshot.state);
  // Before its first node is ready there is nothing to count.
  const empty =
    snapshot.state === "starting" && !pool.cells.some((cell) => cell.pid > 0) && pool.queued === 0;
  const heard = pool.refusal === "" && !over && !hearing.cut ? said : "";
  const ask = (command: Command) => {
    pool.refuse("");
    say(acknowledge(command));
    send(command);
  };
  return (
    <section class={`panel ${over ? "over" : ""}`} aria-label={`Pool ${snapshot.pool}`}>
      <header>
        <Header pool={pool} over={over} said={heard} />
        <Controls snapshot={snapshot} cut={hearing.cut} send={ask} />
      </header>
      <Refusal pool={pool} />
      <Cut hearing={hearing} attach={ATTACH} />
      <Note note={snapshot.note} />
      {over ? <FinalFigures pool={pool} /> : !empty && <Figures pool={pool} />}
      {!over && <CensusBar census={pool.census} only={only} choose={setOnly} />}
      <Nodes pool={pool} over={over} only={over ? undefined : only} />
      <Timeline pool={pool} fold={fold} />
      <Spoken pool={pool} said={heard} />
    </section>
  );
}

function acknowledge(command: Command): string {
  switch (command.kind) {
    case "scale":
      return `asked for ${command.nodes} node${command.nodes === 1 ? "" : "s"}`;
    case "interrupt":
      return "asked every task to stop";
    case "stop":
      return "asked the pool to stop";
  }
}
