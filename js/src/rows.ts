/** What crosses between the kernel and the page about a collection: the bodies of api/viewing, and their decoding. */

export type Kind = "dict" | "set" | "counter" | "queue" | "barrier" | "lock";

export interface About {
  kind: Kind;
  name: string;
  pool: string;
  consistency: string;
}

export interface Row {
  number: number;
  key: string;
  keyType: string;
  /** Undefined while it has not been read. */
  value: string | undefined;
  valueType: string;
  /** When it changed, in seconds; 0 when that was not seen. */
  changed: number;
  oddKey: boolean;
  oddValue: boolean;
  isNew: boolean;
}

export interface Window {
  /** By which the view knows it again. */
  number: number;
  offset: number;
  limit: number;
  by: "key" | "value";
  down: boolean;
  search: string;
  matches: number;
  rows: Row[];
}

/** Somebody who uses a collection: the node or null for the notebook, the task, what it is called. */
export type Person = [number | null, number, string];

/** A moment in seconds, and the number from then on; null where it is not known. */
export type Point = [number, number | null];

/** What is known of a collection; which of it there is depends on its kind. */
export interface Body {
  total?: number;
  listed?: boolean;
  sortable?: boolean;
  windows?: Record<string, Window>;
  value?: string;
  curve?: Point[];
  length?: number;
  front?: [string, string, boolean] | null;
  takers?: Person[];
  taking?: number;
  parties?: number;
  generation?: number;
  arrived?: Person[];
  came?: number;
  missing?: number[];
  holder?: Person | null;
  token?: number | null;
  since?: number | null;
  waiters?: Person[];
  waiting?: number;
}

export interface Content {
  /** When it was read, in seconds; 0 before it was. */
  read: number;
  /** The kernel's clock. */
  at: number;
  note: string;
  body: Body;
}

type RawRow = [number, string, string, string | null, string, number, number];
type RawWindow = Omit<Window, "rows"> & { rows: RawRow[] };

/** Read what the kernel told; nothing is known from what is no such thing. */
export function decode(raw: unknown): Content {
  const { read = 0, at = 0, note = "", body = {} } = (raw ?? {}) as Partial<Content>;
  const windows = Object.entries((body.windows ?? {}) as unknown as Record<string, RawWindow>);
  return {
    read,
    at,
    note,
    body: {
      ...body,
      windows: Object.fromEntries(
        windows.map(([view, shown]) => [view, { ...shown, rows: shown.rows.map(toRow) }]),
      ),
    },
  };
}

function toRow([number, key, keyType, value, valueType, changed, flags]: RawRow): Row {
  const [oddKey, oddValue, isNew] = [(flags & 1) > 0, (flags & 2) > 0, (flags & 4) > 0];
  return { number, key, keyType, value: value ?? undefined, valueType, changed, oddKey, oddValue, isNew };
}
