/**
 * Tell the person: a polite live region for what changes by itself, toasts for what they did, a dialog for what cannot be undone.
 */
import { explain } from "./api.js";
import { h, icon, one } from "./dom.js";
import { w } from "./words.js";

let spoken = 0;

/**
 * Open a dialog with the messages inside it, since a modal dialog silences everything outside; they leave when it closes.
 * @param {HTMLDialogElement} dialog
 */
export function open(dialog) {
  const messages = [one("#toasts"), one("#live")];
  const home = messages[0].parentElement || document.body;
  dialog.showModal();
  dialog.append(...messages);
  dialog.addEventListener("close", () => home.append(...messages), { once: true });
}

/** @param {string} text  read out when the screen reader is free */
export function announce(text) {
  const live = one("#live");
  live.textContent = "";
  clearTimeout(spoken);
  spoken = window.setTimeout(() => (live.textContent = text), 60);
}

/**
 * Show a message for a while; it waits while the pointer or the keyboard is on it.
 * @param {string} text
 * @param {{action?: string, onaction?: () => void, onend?: () => void, kind?: "" | "wrong", ms?: number}} [options]
 *   onend is called once if the action was not taken, at the latest when the page goes away
 */
export function toast(text, { action, onaction, onend, kind = "", ms = 6000 } = {}) {
  let ended = false;
  const end = (/** @type {boolean} */ taken) => {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    removeEventListener("pagehide", leave);
    element.remove();
    (taken ? onaction : onend)?.();
  };
  const leave = () => end(false);
  const wait = () => (clearTimeout(timer), (timer = window.setTimeout(leave, ms)));
  const element = h(
    "div.toast",
    {
      className: `toast ${kind}`,
      onmouseenter: () => clearTimeout(timer),
      onmouseleave: wait,
      onfocusin: () => clearTimeout(timer),
      onfocusout: wait,
    },
    kind && icon("alert"),
    h("p", {}, text),
    action && h("button.link", { onclick: () => end(true) }, action),
    h("button.tool", { "aria-label": w("say.close"), onclick: leave }, icon("close")),
  );
  let timer = window.setTimeout(leave, ms);
  addEventListener("pagehide", leave);
  one("#toasts").append(element);
  announce(action ? `${text} ${w("say.can")}` : text);
}

/** @param {unknown} error  shows what a failed call means; what is not a Problem is our own mistake and is thrown on */
export function complain(error) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  if (!(error instanceof Error) || !("code" in error)) throw error;
  const { what, next } = explain(/** @type {any} */ (error));
  const text = `${what} ${next}`.trim();
  if ([...document.querySelectorAll(".toast p")].some((p) => p.textContent === text)) return; // it stands there already
  const invited = error.code !== "token_required";
  if (!invited) location.hash = "#/me"; // where a code is entered
  toast(text, { kind: "wrong", ms: invited ? 9000 : 3e6 }); // an invitation is waited for
}

/**
 * Ask before something that cannot be undone.
 * @param {{title: string, text: string, yes: string, danger?: boolean, input?: string}} question  input: the label of a text to be given
 * @returns {Promise<string | null>} null when they thought better of it; the text (or "yes")
 */
export function ask({ title, text, yes, danger = false, input }) {
  const dialog = /** @type {HTMLDialogElement} */ (one("#ask"));
  const field = input ? h("textarea", { rows: 3, maxLength: 500, "aria-label": input, placeholder: input }) : null;
  dialog.replaceChildren(
    h(
      "form",
      { method: "dialog" },
      h("h2", { id: "ask-title" }, title),
      h("p", {}, text),
      field,
      h(
        "div.actions",
        {},
        h("button.quiet", { value: "", type: "submit" }, w("say.no")),
        h(danger ? "button.danger" : "button.primary", { value: "yes", type: "submit" }, yes),
      ),
    ),
  );
  dialog.returnValue = "";
  open(dialog);
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "yes" ? (field ? field.value : "yes") : null),
      { once: true },
    );
  });
}

/** @param {string} text @param {string} done  what to say once it is on the clipboard */
export async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { value: text, "aria-hidden": "true" }); // an http:// address that is not localhost has no clipboard
    (document.querySelector("dialog[open]") || document.body).append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  toast(done, { ms: 3000 });
}
