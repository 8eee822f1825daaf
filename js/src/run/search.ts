/** Finding text in the log: the lines that have it, and going from one to the next. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Rows } from "./log";
import { type LogBook, matcher } from "./logbook";

/** While lines come, the lines that match are looked up anew so often. */
const EVERY_MS = 300;

export interface Search {
  query: string;
  /** The number of the line that was gone to; -1 for none. */
  current: number;
  matches: number;
  /** Which of the matches the current one is, from 1; 0 for none. */
  place: number;
  ask(query: string): void;
  go(by: 1 | -1): void;
}

export function useSearch(log: LogBook, version: number, rows: Rows, show: (place: number) => void): Search {
  const [query, setQuery] = useState("");
  const [current, setCurrent] = useState(-1);
  const settled = useSettled(query === "" ? 0 : version);
  const found = useMemo(
    () => matching(log, rows, query),
    [log, query, settled, rows.length === 0, rows.at(0)],
  );
  const place = found.indexOf(current);
  const go = (by: 1 | -1) => {
    if (found.length === 0) return;
    const next = place >= 0 ? (place + by + found.length) % found.length : by > 0 ? 0 : found.length - 1;
    const number = found[next] ?? -1;
    setCurrent(number);
    show(rows.place(number));
  };
  const ask = (text: string) => {
    setQuery(text);
    setCurrent(-1);
  };
  return { query, current, matches: found.length, place: place + 1, ask, go };
}

function matching(log: LogBook, rows: Rows, query: string): number[] {
  if (query === "") return [];
  const wanted = matcher(query);
  return log
    .numbers((line) => line.text.search(wanted) >= 0)
    .filter((number) => rows.at(rows.place(number)) === number);
}

/** `value` as it was a moment ago, while it changes all the time. */
function useSettled(value: number): number {
  const [settled, settle] = useState(value);
  const latest = useRef(value);
  latest.current = value;
  const waiting = useRef(0);
  useEffect(() => {
    if (value === settled || waiting.current !== 0) return;
    waiting.current = window.setTimeout(() => {
      waiting.current = 0;
      settle(latest.current);
    }, EVERY_MS);
  }, [value, settled]);
  useEffect(() => () => clearTimeout(waiting.current), []);
  return settled;
}
