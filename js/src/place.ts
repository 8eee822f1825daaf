/** Draws a view in the place of the text and HTML that an output holds.
 *
 * What an output holds is what is saved, and it is readable without a kernel. In a page whose kernel lives it carries
 * the view's mark, and is hidden behind the live view for as long as it does.
 *
 * A page may have several models of one view: one for each notebook or console that is open with its kernel, and those of
 * notebooks that were closed, which nobody tells so. An output has one live view, of a model that is not of a closed one.
 */

import type { Model, RenderProps } from "./model";

const MARK = "data-skyward";
/** The element that JupyterLab keeps for an output while what is in it is replaced. */
const OUTPUT = ".jp-OutputArea-output";
const LIVE = "skyward-live";
/** So many views of outputs that are in no page at present, such as cells scrolled away, are kept. */
const AWAY = 8;

type Remove = () => void;
type Render = (props: RenderProps) => Remove;

interface Shown {
  live: HTMLElement;
  remove: Remove;
}

/** What JupyterLab has for the models of a notebook, or of a console: the one has a context, the other a kernel alone. */
interface Manager {
  context?: { isDisposed?: boolean } | null;
  kernel?: { isDisposed?: boolean } | null;
}

/** What a widget's script exports: `render` draws it where a host asks for that. */
export function widget(render: Render): { initialize(props: { model: Model }): Remove; render: Render } {
  return {
    initialize({ model }) {
      const places = new Places(model, render);
      return () => places.end();
    },
    render,
  };
}

/** The outputs of a page that one model is drawn in. */
class Places {
  readonly #model: Model;
  readonly #render: Render;
  readonly #mark: string;
  readonly #shown = new Map<HTMLElement, Shown>();
  readonly #observer: MutationObserver;
  #ended = false;

  constructor(model: Model, render: Render) {
    this.#model = model;
    this.#render = render;
    this.#mark = `[${MARK}="${CSS.escape(model.get("place") as string)}"]`;
    this.#observer = new MutationObserver((records) => this.#changed(records));
    this.#observer.observe(document.body, { childList: true, subtree: true });
    this.#look();
  }

  /** Whether the model is of a notebook or console that was closed, whose kernel it cannot hear. */
  get #abandoned(): boolean {
    const manager = this.#model.widget_manager as Manager | undefined;
    return (manager?.context ?? manager?.kernel)?.isDisposed === true;
  }

  /** The model is gone: an output that still has its mark keeps what is drawn, which is newer than what it holds. */
  end(): void {
    this.#ended = true;
    this.#sweep();
  }

  #changed(records: MutationRecord[]): void {
    const isNew = (node: Node) =>
      node instanceof Element && (node.matches(this.#mark) || node.querySelector(this.#mark) !== null);
    const isFreed = (node: Node) => node instanceof Element && node.classList.contains(LIVE);
    if (this.#abandoned) this.#leave();
    else if (
      records.some((record) => [...record.addedNodes].some(isNew) || [...record.removedNodes].some(isFreed))
    )
      this.#look();
    if (this.#shown.size > 0) this.#sweep();
  }

  /** Draw the view wherever there is a mark. */
  #look(): void {
    for (const still of document.querySelectorAll<HTMLElement>(this.#mark)) {
      const output = still.closest<HTMLElement>(OUTPUT) ?? still;
      const isFree = !output.nextElementSibling?.classList.contains(LIVE);
      if (this.#ended && !this.#shown.has(output)) continue;
      if (!this.#shown.has(output) && isFree) this.#draw(output);
      output.style.display = "none";
    }
  }

  #draw(output: HTMLElement): void {
    const live = document.createElement("div");
    live.className = LIVE;
    live.style.cssText = "flex: 1 1 0; min-width: 0; overflow: auto";
    output.after(live);
    this.#shown.set(output, { live, remove: this.#render({ model: this.#model, el: live }) });
  }

  /** Take the view away where the mark is gone. */
  #sweep(): void {
    for (const output of this.#shown.keys()) {
      if (!output.matches(this.#mark) && output.querySelector(this.#mark) === null) this.#take(output);
    }
    const away = [...this.#shown.keys()].filter((output) => !output.isConnected);
    for (const output of away.slice(0, this.#ended ? away.length : -AWAY)) this.#take(output);
    if (this.#ended && this.#shown.size === 0) this.#observer.disconnect();
  }

  /** Take all views away for good: they are drawn by a model that hears the kernel, if there is one. */
  #leave(): void {
    this.#observer.disconnect();
    for (const output of [...this.#shown.keys()]) this.#take(output);
  }

  #take(output: HTMLElement): void {
    const { live, remove } = this.#shown.get(output) as Shown;
    this.#shown.delete(output);
    remove();
    live.remove();
    output.style.display = "";
  }
}
