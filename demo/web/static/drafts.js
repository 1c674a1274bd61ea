/**
 * A draft beside the prompt: when the typing rests for a moment, one small picture of what has been written so far, replaced
 * as the prompt grows. The server keeps none of them; a person can switch them off, and this browser remembers that.
 */
import { API } from "./api.js";
import { h, one } from "./dom.js";
import * as settings from "./settings.js";
import { lang, w } from "./words.js";

const REST_MS = 250; // so long nothing is typed
const AGAIN_MS = 1500; // after a draft that gave way to somebody's drawing
const TRIES = 4;
const JAMO = /[\u3131-\u3163]+$/; // letters of a syllable that is only begun: 빨간 ㅇ
const OFF = "drafts-off"; // in this browser's storage

const form = /** @type {HTMLFormElement} */ (one("#composer"));
const picture = h("img", { width: 98, height: 98, alt: "" });
const figure = h("figure.draft", { hidden: true }, picture, h("figcaption", {}, w("draft.caption")));
const seed = Math.floor(Math.random() * 2 ** 32); // one for as long as the page is open: the picture changes with the words alone
let asking = new AbortController();
let timer = 0;
let last = ""; // what the picture that is shown, or is being drawn, was asked by

export function begin() {
  one("#prompt").after(figure);
  one("#reset").before(choice());
  form.addEventListener("input", (event) => later(event instanceof InputEvent && event.isComposing));
  form.addEventListener("submit", rest);
}

/** @returns {HTMLElement} the switch, among the other settings */
function choice() {
  return h(
    "label.field.row.check",
    {},
    h("span", {}, w("draft.switch"), h("small", {}, w("draft.switch_help"))),
    h("input", {
      type: "checkbox",
      role: "switch",
      id: "drafts",
      checked: wanted(),
      onchange: (/** @type {any} */ event) => {
        if (event.target.checked) localStorage.removeItem(OFF);
        else localStorage.setItem(OFF, "1");
        event.target.checked ? later(false) : hide();
      },
    }),
  );
}

const wanted = () => localStorage.getItem(OFF) === null;

/** @param {boolean} composing  a syllable is being put together: it is drawn as it stands, its first letter alone is not */
function later(composing) {
  clearTimeout(timer);
  if (!wanted()) return;
  timer = window.setTimeout(() => ask(asked(composing)), REST_MS);
}

/** @param {boolean} composing @returns {Record<string, any> | null} the body of a request; null where there is nothing to draw */
function asked(composing) {
  const { prompt, negative_prompt, style, style_weight, styles, guidance_scale, seed: chosen, source_image } = settings.body();
  const written = composing ? prompt.replace(JAMO, "").trim() : prompt;
  if (!written || source_image) return null;
  return { prompt: written, negative_prompt, style, style_weight, styles, guidance_scale, seed: chosen ?? seed };
}

/** @param {Record<string, any> | null} body @param {number} [tries] */
async function ask(body, tries = TRIES) {
  const wish = JSON.stringify(body);
  if (wish === last) return;
  asking.abort();
  if (!body) return hide();
  last = wish;
  const mine = (asking = new AbortController());
  try {
    const headers = { "Content-Type": "application/json", "Accept-Language": lang };
    const answer = await fetch(`${API}/drafts`, { method: "POST", headers, body: wish, signal: mine.signal });
    if (answer.status === 200) return show(await answer.blob(), body.prompt, mine.signal);
    last = "";
    if (answer.status === 204 && tries > 1) timer = window.setTimeout(() => ask(body, tries - 1), AGAIN_MS);
    else hide();
  } catch {
    if (asking === mine) last = ""; // no connection: the line about it says so, and the next letter asks again
  }
}

/** @param {Blob} blob @param {string} prompt @param {AbortSignal} signal */
async function show(blob, prompt, signal) {
  const before = picture.src;
  const next = h("img", { src: URL.createObjectURL(blob) });
  await next.decode().catch(() => {});
  if (signal.aborted) return URL.revokeObjectURL(next.src);
  picture.src = next.src;
  picture.alt = w("draft.alt", { prompt });
  figure.hidden = false;
  if (before) URL.revokeObjectURL(before);
}

/** What was asked for is drawn in full now: no more drafts until something else is typed. */
function rest() {
  clearTimeout(timer);
  asking.abort();
  last = JSON.stringify(asked(false));
}

function hide() {
  clearTimeout(timer);
  asking.abort();
  last = "";
  figure.hidden = true;
}
