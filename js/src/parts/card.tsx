/** A collection as a whole: what it is, how it stands, and the part that its kind has. */

import type { Collection } from "../collection";
import { capital, count, plural } from "../format";
import type { Hearing } from "../hearing";
import { Barrier } from "./barrier";
import { Counter } from "./counter";
import { Cut } from "./cut";
import { Lock } from "./lock";
import { Queue } from "./queue";
import { Table } from "./table";

export function Card({ collection, hearing }: { collection: Collection; hearing: Hearing }) {
  const { about, over, known, note } = collection;
  return (
    <section class={over ? "panel over" : "panel"} aria-label={`${capital(about.kind)} ${about.name}`}>
      <header>
        <div class="title">
          <span class="name">{about.name}</span>
          <span class="badge">{about.kind}</span>
          <span class="facts">
            {known && stands(collection) !== "" && <span class="stands">{stands(collection)}</span>}
            <span>pool {about.pool}</span>
            {about.consistency === "eventual" && <span title="One copy confirms a change">eventual</span>}
            {over && <span>pool over</span>}
          </span>
        </div>
      </header>
      <Cut hearing={hearing} />
      {note !== "" && <p class="note">{note}</p>}
      {over && <p class="note">The pool is over; this is what was seen last.</p>}
      {known ? (
        <fieldset class="bare" disabled={hearing.cut}>
          <Part collection={collection} />
        </fieldset>
      ) : (
        <p class="none">{over ? "It was never seen." : "Reading…"}</p>
      )}
      <p class="aside" role="status" aria-live="polite">
        {spoken(collection)}
      </p>
    </section>
  );
}

function Part({ collection }: { collection: Collection }) {
  switch (collection.about.kind) {
    case "dict":
    case "set":
      return <Table collection={collection} />;
    case "counter":
      return <Counter collection={collection} />;
    case "queue":
      return <Queue collection={collection} />;
    case "barrier":
      return <Barrier collection={collection} />;
    case "lock":
      return <Lock collection={collection} />;
  }
}

/** How it stands, in a word or two. */
function stands({ about, body }: Collection): string {
  switch (about.kind) {
    case "dict":
      return plural(body.total ?? 0, "key");
    case "set":
      return plural(body.total ?? 0, "member");
    case "barrier":
      return `${count(body.came ?? 0)} of ${count(body.parties ?? 0)} wait`;
    case "lock":
      return body.holder ? "held" : "free";
    default:
      return "";
  }
}

/** What a screen reader is told: what somebody did or waits for, not every change of a number. */
function spoken({ about, over, body, window, wish, waiting }: Collection): string {
  if (over) return `The pool of ${about.kind} ${about.name} is over.`;
  if (window !== undefined && wish.search !== "" && !waiting) return `${plural(window.matches, "row")} found`;
  if (about.kind === "lock") return body.holder ? "The lock is held" : "The lock is free";
  return "";
}
