/** Puts a widget into an element of the host, and tells the kernel when somebody sees it. */

import { type ComponentChild, render as draw } from "preact";
import { tellDocked } from "./dock";
import { perFrame } from "./frame";
import { Hearing, type Standing } from "./hearing";
import type { Model, RenderProps } from "./model";
import { watchSight } from "./sight";

/** The kernel forgets a view that has not renewed its sight for three times as long. */
const RENEW_S = 20;
/** How often a kernel that says nothing is told so all the same: it may have forgotten the view. */
const ASK_S = 5;

/** Tells the kernel whether a view is on screen. `view` is the view's own name. */
export interface Sight {
  kind: "visible";
  visible: boolean;
  view: string;
}

/** What a widget's state is made with. */
export interface Host {
  model: Model;
  /** Aborts when the host removes the view. */
  signal: AbortSignal;
  /** Ask for a new picture at the next frame. */
  changed: () => void;
  /** The view's own name: several views share one model. */
  view: string;
  /** Whether the kernel can be heard. */
  hearing: Hearing;
}

/** What a widget is for `mount`. */
export interface Face {
  /** Draw the state as it is now. */
  draw(): ComponentChild;
  /** Whether nothing follows, so that sight needs no renewal. */
  over(): boolean;
  /** Called whenever the kernel has been told that the view is seen: it may have forgotten what it knew of it. */
  seen?(): void;
}

/** Render what `make` returns into the host's element; the returned function removes it, and all that listens. */
export function mount({ model, el }: RenderProps, family: string, make: (host: Host) => Face): () => void {
  const controller = new AbortController();
  const { signal } = controller;
  const root = document.createElement("div");
  root.className = `skyward skyward-${family}`;
  // JupyterLab takes keys in the capture phase unless an ancestor says this.
  root.dataset.lmSuppressShortcuts = "true";
  root.addEventListener("keydown", (event) => event.stopPropagation(), { signal });
  el.append(root);
  const changed = perFrame(() => draw(face.draw(), root), signal);
  const view = crypto.getRandomValues(new Uint32Array(2)).join("-");
  const over = () => face.over();
  const hearing = new Hearing(model, over, (standing) => heard(standing), signal);
  const host = { model, signal, changed, view, hearing };
  const face = make(host);
  draw(face.draw(), root);
  tellDocked(model, root, signal, () => hearing.failed());
  const again = tellSight(root, host, face);
  const heard = (standing: Standing) => {
    root.classList.toggle("is-cut", hearing.cut);
    // What was told meanwhile did not arrive.
    if (standing === "live") again();
    changed();
  };
  return () => {
    controller.abort();
    draw(null, root);
    root.remove();
  };
}

/** Tell the kernel when this view is seen, and now and then that it still is; the returned function tells it at once. */
function tellSight(root: Element, { model, changed, signal, view, hearing }: Host, face: Face): () => void {
  let [visible, seconds] = [false, 0];
  const tell = () => {
    try {
      model.send({ kind: "visible", visible, view } satisfies Sight);
    } catch {
      hearing.failed();
    }
    if (visible) face.seen?.();
  };
  const seen = (now: boolean) => {
    [visible, seconds] = [now, 0];
    hearing.expect(visible);
    tell();
    changed();
  };
  const second = () => {
    if (face.over()) return;
    seconds += 1;
    if (seconds % RENEW_S === 0 || (hearing.standing === "silent" && seconds % ASK_S === 0)) tell();
    hearing.second();
    changed();
  };
  watchSight(root, { seen, second }, signal);
  return () => visible && tell();
}
