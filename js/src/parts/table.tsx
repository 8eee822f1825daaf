/** The rows of a dict or a set: a page of them, with a search and an order. */

import { type Collection, PAGE } from "../collection";
import { count, plural } from "../format";
import type { Row } from "../rows";

export function Table({ collection }: { collection: Collection }) {
  const { about, body, window: shown, waiting } = collection;
  const valued = about.kind === "dict";
  const total = body.total ?? 0;
  const rows = shown?.rows ?? [];
  const marks = rows.filter((row) => collection.marked(row)).length;
  return (
    <div class="table">
      {(total > 0 || collection.wish.search !== "") && <Search collection={collection} />}
      {rows.length > 0 && (
        <div class="scroll" role="region" aria-label="Rows">
          <table aria-busy={waiting} class={waiting ? "waiting" : ""}>
            <thead>
              <tr>
                <th class="mark" scope="col">
                  <span class="aside">Changed</span>
                </th>
                <Column collection={collection} by="key" name={valued ? "Key" : "Member"} enabled />
                {valued && (
                  <Column collection={collection} by="value" name="Value" enabled={body.sortable === true} />
                )}
              </tr>
            </thead>
            <tbody data-marks={marks}>
              {rows.map((row) => (
                <Line key={row.number} row={row} valued={valued} marked={collection.marked(row)} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {rows.length === 0 && <p class="none">{absent(collection)}</p>}
      {shown !== undefined && shown.matches > PAGE && <Pager collection={collection} />}
    </div>
  );
}

function absent({ about, body, wish }: Collection): string {
  if ((body.total ?? 0) > 0)
    return `No ${about.kind === "dict" ? "key" : "member"} has “${wish.search.trim()}” in it.`;
  return body.listed === false ? "Reading…" : "Nothing is in it.";
}

function Search({ collection }: { collection: Collection }) {
  const { about, body, wish, window: shown, waiting } = collection;
  const what = about.kind === "dict" ? "keys" : "members";
  const found = wish.search !== "" && shown !== undefined && !waiting;
  return (
    <div class="find">
      <input
        type="search"
        value={wish.search}
        placeholder={`Search ${what}`}
        aria-label={`Search ${what}`}
        spellcheck={false}
        onInput={(event) => collection.ask({ search: event.currentTarget.value }, true)}
      />
      <span class="quiet">
        {found && `${count(shown.matches)} of ${count(body.total ?? 0)}`}
        {body.listed === false && (body.total ?? 0) > 0 && "reading…"}
      </span>
    </div>
  );
}

interface ColumnProps {
  collection: Collection;
  by: "key" | "value";
  name: string;
  enabled: boolean;
}

function Column({ collection, by, name, enabled }: ColumnProps) {
  const { wish } = collection;
  const active = enabled ? wish.by === by : false;
  const sort = active ? (wish.down ? "descending" : "ascending") : "none";
  return (
    <th scope="col" aria-sort={sort}>
      <button
        type="button"
        disabled={!enabled}
        title={enabled ? `Order by ${by}` : "There are too many to order them by value"}
        onClick={() => collection.ask({ by, down: active && !wish.down })}
      >
        {name}
        <span class="order" aria-hidden="true">
          {active ? (wish.down ? "▾" : "▴") : ""}
        </span>
      </button>
    </th>
  );
}

function Line({ row, valued, marked }: { row: Row; valued: boolean; marked: boolean }) {
  // Two names of one animation: a row that changes again begins it again.
  const flash = marked ? `flash ${Math.round(row.changed * 100) % 2 === 0 ? "once" : "again"}` : "";
  return (
    <tr class={flash}>
      <td class="mark">
        {marked && (
          <span title={row.isNew ? "New" : "Changed"}>
            <span aria-hidden="true">{row.isNew ? "+" : "●"}</span>
            <span class="aside">{row.isNew ? "new" : "changed"}</span>
          </span>
        )}
      </td>
      <Value text={row.key} type={row.keyType} odd={row.oddKey} />
      {valued && <Value text={row.value} type={row.valueType} odd={row.oddValue} />}
    </tr>
  );
}

export function Value({ text, type, odd }: { text: string | undefined; type: string; odd: boolean }) {
  if (text === undefined) return <td class="quiet">…</td>;
  return (
    <td title={type === "" ? text : `${text}\n${type}`} class={odd ? "odd" : ""}>
      <code>{text}</code>
    </td>
  );
}

function Pager({ collection }: { collection: Collection }) {
  const { window: shown, wish } = collection;
  if (shown === undefined) return null;
  const last = Math.max(0, Math.ceil(shown.matches / PAGE) - 1) * PAGE;
  const at = Math.min(wish.offset, last);
  const to = (offset: number) => collection.ask({ offset: Math.max(0, Math.min(offset, last)) });
  // A button that is disabled would lose the focus of who just came to the last page with it.
  const go = (name: string, sign: string, offset: number, enabled: boolean) => (
    <button
      type="button"
      aria-label={name}
      title={name}
      aria-disabled={!enabled}
      onClick={() => enabled && to(offset)}
    >
      {sign}
    </button>
  );
  const rows = `${count(shown.offset + 1)}–${count(shown.offset + shown.rows.length)} of ${count(shown.matches)}`;
  return (
    <nav class="pager" aria-label="Pages">
      {go("First page", "«", 0, at > 0)}
      {go("Previous page", "‹", at - PAGE, at > 0)}
      <label>
        Page
        <input
          type="number"
          min={1}
          max={last / PAGE + 1}
          value={at / PAGE + 1}
          onChange={(event) => to((Math.round(event.currentTarget.valueAsNumber || 1) - 1) * PAGE)}
        />
        of {count(last / PAGE + 1)}
      </label>
      {go("Next page", "›", at + PAGE, at < last)}
      {go("Last page", "»", last, at < last)}
      <span class="quiet" title={plural(shown.matches, "row")}>
        {rows}
      </span>
    </nav>
  );
}
