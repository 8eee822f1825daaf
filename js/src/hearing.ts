/** Whether the kernel can be heard: it says so every second while a view is seen, and some hosts know more of it. */

import { listen, type Model } from "./model";

/** Seconds without a word from a kernel that nothing else is known of. */
const SILENT_S = 3;
/** For so long after a kernel was restarted, what arrives may have been on its way from the one before (ms). */
const LATE_MS = 2000;

/** What hosts that have one (JupyterLab, Notebook 7) tell of their connection to the kernel. */
interface Signal {
  connect(slot: () => void): unknown;
  disconnect(slot: () => void): unknown;
}

interface HostKernel {
  id?: string;
  status?: string;
  connectionStatus?: string;
  isDisposed?: boolean;
  statusChanged?: Signal;
  connectionStatusChanged?: Signal;
}

/**
 * How it stands with the kernel: `live`; `busy`, it runs but lets nothing else run; `away`, the connection is broken;
 * `silent`, nobody knows why; `gone`, it has ended or was restarted.
 */
export type Standing = "live" | "busy" | "away" | "silent" | "gone";

const ENDED = ["dead", "terminating", "restarting", "autorestarting"];

export class Hearing {
  /** When the kernel was heard last, in milliseconds by the page's clock. */
  last = Date.now();
  readonly #manager: { kernel?: HostKernel | null } | undefined;
  readonly #first: HostKernel | undefined;
  readonly #id: string | undefined;
  readonly #over: () => boolean;
  readonly #changed: (standing: Standing) => void;
  #expected = false;
  #seconds = 0;
  #ended = 0;
  #told: Standing = "live";

  /** `changed` is called with every new standing; nothing is expected of a kernel when what is shown is `over`. */
  constructor(model: Model, over: () => boolean, changed: (standing: Standing) => void, signal: AbortSignal) {
    this.#manager = model.widget_manager as { kernel?: HostKernel | null } | undefined;
    this.#first = this.#manager?.kernel ?? undefined;
    this.#id = this.#first?.id;
    this.#over = over;
    this.#changed = changed;
    listen(model, "msg:custom", () => this.#hear(), signal);
    const look = () => this.#look();
    for (const told of [this.#first?.statusChanged, this.#first?.connectionStatusChanged]) {
      told?.connect(look);
      signal.addEventListener("abort", () => told?.disconnect(look), { once: true });
    }
  }

  /** How it stands now. */
  get standing(): Standing {
    if (this.#over()) return "live";
    if (this.#ended > 0) return "gone";
    const connection = this.#kernel?.connectionStatus;
    if (connection !== undefined && connection !== "connected") return "away";
    if (this.#seconds <= SILENT_S) return "live";
    return this.#kernel?.status === "busy" ? "busy" : "silent";
  }

  /** Whether what is shown is only what was seen last, and nothing can be asked. */
  get cut(): boolean {
    return !["live", "busy"].includes(this.standing);
  }

  /** The view is seen from now on, or no longer: only then is the kernel to be heard. */
  expect(visible: boolean): void {
    this.#expected = visible;
    this.#seconds = 0;
    this.#look();
  }

  /** A second has passed in which the view was seen; of a page that slept it is one too. */
  second(): void {
    if (this.#expected) this.#seconds += 1;
    this.#look();
  }

  /** Nothing could be sent. */
  failed(): void {
    this.#seconds = SILENT_S + 1;
    this.#look();
  }

  get #kernel(): HostKernel | undefined {
    return this.#manager?.kernel ?? this.#first;
  }

  #hear(): void {
    if (this.#ended > 0 && Date.now() - this.#ended < LATE_MS) return;
    this.#ended = 0;
    this.#seconds = 0;
    this.last = Date.now();
    this.#tell();
  }

  #look(): void {
    const kernel = this.#kernel;
    const other = kernel?.id !== this.#id;
    if (kernel !== undefined && (kernel.isDisposed || other || ENDED.includes(kernel.status ?? ""))) {
      this.#ended = Date.now();
    }
    this.#tell();
  }

  #tell(): void {
    const now = this.standing;
    if (now === this.#told) return;
    this.#told = now;
    this.#changed(now);
  }
}
