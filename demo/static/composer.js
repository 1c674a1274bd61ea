/**
 * The prompt and its settings: typing (Hangul in composition included), the limit, words, a picture to start from, sending once.
 */
import { Problem, call, connection, get } from "./api.js";
import { h, icon, one } from "./dom.js";
import * as past from "./past.js";
import { alt } from "./pictures.js";
import { clear, read, refused, say } from "./reading.js";
import { announce, complain } from "./say.js";
import { put } from "./store.js";
import { lang, told, w } from "./words.js";

/**
 * @typedef {import("./api.js").Picture} Picture
 * @typedef {import("./api.js").Generation} Generation
 */

const { defaults, examples } = told;
const SLIDES = ["steps", "guidance_scale", "refine_strength", "style_weight"];
const DRAFT = "draft";
const SAME_MS = 1500;

const form = /** @type {HTMLFormElement} */ (one("#composer"));
const prompt = /** @type {HTMLTextAreaElement} */ (one("#prompt"));
/** @type {Set<string>} sliders the person moved; the others are left to the checkpoint */
const chosen = new Set();
/** @type {Record<string, number>} */
const usual = { style_weight: 1 };
/** @type {Picture | null} */
let source = null;
let strength = defaults.strength ?? 0.6;
/** @type {{id: string, kind: string}[]} */
let styles = [];
let sending = false;
let last = { body: "", key: "", at: 0 };

/** @type {(generation: Generation) => void} */
let ondrawn = () => {};

/** @param {(generation: Generation) => void} drawn  called with what the server accepted */
export function begin(drawn) {
  ondrawn = drawn;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(settings());
  });
  prompt.addEventListener("keydown", onkey);
  prompt.addEventListener("input", ontyped);
  form.addEventListener("input", onsettings);
  one("#roll").addEventListener("click", () => set({ seed: Math.floor(Math.random() * 2 ** 32) }));
  one("#reset").addEventListener("click", () => set(plain()));
  one("#example").addEventListener("click", example);
  tuck(matchMedia("(max-width: 1079px)"));
  restore();
  styled();
}

/** @param {MediaQueryList} narrow  there the few choices go in with the others, so that similar pictures come into sight */
function tuck(narrow) {
  const place = () => (narrow.matches ? one(".more-body").prepend(one(".choices")) : one("#more").before(one(".choices")));
  narrow.addEventListener("change", place);
  place();
}

/**
 * Enter draws. While Hangul is being composed it only ends the syllable: browsers then say isComposing, or (Safari, after
 * its compositionend) only the old key code 229.
 * @param {KeyboardEvent} event
 */
function onkey(event) {
  if (event.isComposing || event.keyCode === 229) return;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    form.requestSubmit();
  } else if (event.key === "ArrowDown" && prompt.selectionEnd === prompt.value.length) {
    const chip = document.querySelector("#chips button");
    if (chip instanceof HTMLElement) (event.preventDefault(), chip.focus());
  }
}

function ontyped() {
  clear();
  keep();
  past.seek(prompt.value);
  read(prompt.value);
  completions(prompt.value.slice(0, prompt.selectionEnd), prompt.value.slice(prompt.selectionEnd));
}

/** @type {(text: string, rest: string) => void} the words' row, see chips.js */
let completions = () => {};

/** @param {(text: string, rest: string) => void} complete */
export function oncomplete(complete) {
  completions = complete;
}

/** @returns {Record<string, any>} the request body the form stands for */
function settings() {
  const fields = new FormData(form);
  /** @type {Record<string, any>} */
  const body = {
    prompt: prompt.value.normalize("NFC").trim(),
    negative_prompt: String(fields.get("negative_prompt") || "").normalize("NFC").trim(),
    n: Number(fields.get("n")) || defaults.n,
    refine: fields.has("refine"),
    visibility: fields.get("visibility"),
  };
  const seed = String(fields.get("seed") || "").trim();
  if (/^\d+$/.test(seed)) body.seed = Math.min(Number(seed), 2 ** 32 - 1);
  if (fields.get("style")) body.style = fields.get("style");
  for (const name of SLIDES) if (chosen.has(name) && used(name)) body[name] = Number(fields.get(name));
  if (source) Object.assign(body, { source_image: source.id, strength });
  return body;
}

/**
 * Ask for a drawing, once: while one is being asked for another Enter does nothing, and the same again within a moment
 * carries the same key, so that the server draws it once even if both arrive.
 * @param {Record<string, any>} body
 * @returns {Promise<Generation | null>}
 */
export async function send(body) {
  if (sending) return null;
  if (!body.prompt) {
    refuse(new Problem("prompt_empty", ""));
    return null;
  }
  const same = JSON.stringify(body);
  if (same !== last.body || Date.now() - last.at > SAME_MS) last = { body: same, key: crypto.randomUUID?.() ?? String(Math.random()), at: Date.now() };
  sending = true;
  busy(true);
  try {
    const generation = await insist(body, last.key);
    last.at = Date.now();
    clear();
    if (body.prompt === prompt.value.normalize("NFC").trim()) past.found(generation.similar || []);
    announce(w("tell.asked", { n: generation.n }));
    put(generation);
    ondrawn(generation);
    return generation;
  } catch (error) {
    if (error instanceof Problem) refuse(error);
    else throw error;
    return null;
  } finally {
    sending = false;
    busy(false);
  }
}

/** @param {Record<string, any>} body @param {string} key @returns {Promise<Generation>} through a lost connection or a restart */
async function insist(body, key) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await call("POST", "/generations", { body, key });
    } catch (error) {
      if (!(error instanceof Problem) || attempt > 5) throw error;
      if (error.code === "not_ready") await new Promise((resolve) => setTimeout(resolve, 1000 * (error.retryAfter || 2)));
      else if (error.code !== "offline") throw error;
      say(w("note.waiting"));
      await connection.back();
    }
  }
}

/** @param {Problem} problem */
function refuse(problem) {
  refused(problem);
  if (problem.code.startsWith("prompt")) prompt.focus();
  if (problem.code === "unknown_source_image") attach(null);
}

/** @param {boolean} on */
function busy(on) {
  const button = one("#submit");
  button.setAttribute("aria-disabled", String(on));
  button.textContent = on ? w("submit.sending") : w("submit.draw");
}

/** @returns {Record<string, any>} */
const plain = () => ({ n: defaults.n, seed: null, refine: defaults.refine, style: "", negative_prompt: "", visibility: "private", ...Object.fromEntries(SLIDES.map((s) => [s, null])) });

/**
 * Fill the form; settings that are not named stay.
 * @param {Record<string, any>} values
 * @param {Picture | null} [picture]  undefined leaves the one that is there
 */
export function set(values, picture) {
  const field = (/** @type {string} */ name) => /** @type {any} */ (form.elements.namedItem(name));
  if (values.prompt !== undefined) prompt.value = values.prompt;
  if (values.style) one("#style").dataset.wanted = values.style; // the styles may not have arrived yet
  for (const name of ["negative_prompt", "seed", "style"]) if (values[name] !== undefined) field(name).value = values[name] ?? "";
  for (const name of ["n", "visibility"]) if (values[name] && [...field(name)].some((/** @type {any} */ o) => o.value === String(values[name]))) field(name).value = String(values[name]);
  if (values.refine !== undefined) field("refine").checked = values.refine;
  for (const name of SLIDES) {
    if (values[name] === undefined) continue;
    if (values[name] === null) chosen.delete(name);
    else (chosen.add(name), (field(name).value = values[name]));
  }
  if (values.strength) strength = values.strength;
  if (picture !== undefined) attach(picture);
  if (values.prompt !== undefined) ontyped();
  onsettings();
}

/** Go to the prompt with the cursor at its end. */
export function focus() {
  prompt.focus();
  prompt.setSelectionRange(prompt.value.length, prompt.value.length);
}

/** @returns {string} */
export const text = () => prompt.value;

/** @param {string} name @returns {boolean} whether the slider means anything now */
function used(name) {
  if (name === "refine_strength") return /** @type {any} */ (form.elements.namedItem("refine")).checked;
  if (name === "style_weight") return styles.some((s) => s.id === one("#style").value && s.kind === "lora");
  return true;
}

/** @param {Event} [event] */
function onsettings(event) {
  const input = event?.target;
  if (input instanceof HTMLInputElement && input.type === "range" && SLIDES.includes(input.name)) chosen.add(input.name);
  for (const name of SLIDES) {
    const slide = one(`[data-slide="${name}"]`);
    const range = slide.querySelector("input");
    if (!chosen.has(name) && usual[name]) range.value = String(usual[name]);
    slide.hidden = !used(name);
    slide.querySelector("output").textContent = chosen.has(name) ? range.value : usual[name] ? w("more.usual", { n: usual[name] }) : w("more.auto");
  }
  const body = settings();
  one("#more-said").textContent = [w("more.count", { n: body.n }), w(`fact.${body.visibility}`), body.seed !== undefined && w("fact.seed", { seed: body.seed }), !body.refine && w("more.unrefined")].filter(Boolean).join(" · ");
  keep();
}

/** What the server offers: styles by name, and where its sliders rest. */
async function styled() {
  try {
    const [offered, models] = await Promise.all([get("/styles", new AbortController().signal), get("/models", new AbortController().signal)]);
    const select = one("#style");
    const wanted = select.value || select.dataset.wanted;
    styles = offered.styles.map((/** @type {any} */ s) => ({ id: s.name, kind: s.kind }));
    select.append(...offered.styles.map((/** @type {any} */ s) => h("option", { value: s.name }, s.label?.[lang] || s.name)));
    select.value = styles.some((s) => s.id === wanted) ? wanted : "";
    for (const name of SLIDES) usual[name] = models.defaults?.[name] ?? defaults[name] ?? usual[name];
    onsettings();
  } catch (error) {
    if (error instanceof Problem && error.code === "offline") connection.back().then(styled);
    else complain(error);
  }
}

/** @param {Picture | null} picture  the picture to start from, shown in the box with how much of it may change */
export function attach(picture) {
  source = picture;
  const place = one("#source");
  place.hidden = !picture;
  if (picture) {
    const said = h("output", {}, strengthSaid());
    place.replaceChildren(
      h("img", { src: picture.thumbnail_url, alt: alt(picture, ""), width: 64, height: 64 }),
      h("label", {}, h("span", {}, w("source.strength"), " ", said),
        h("input", { type: "range", min: 0.1, max: 1, step: 0.05, value: strength, oninput: (/** @type {any} */ e) => {
          strength = Number(e.target.value);
          said.textContent = strengthSaid();
        } }), h("span.ends", { "aria-hidden": "true" }, h("span", {}, w("source.little")), h("span", {}, w("source.much")))),
      h("button.tool", { "aria-label": w("source.remove"), title: w("source.remove"), onclick: () => (attach(null), prompt.focus()) }, icon("close")));
  } else place.replaceChildren();
  keep();
}

const strengthSaid = () => `${Math.round(strength * 100)}%`;

function example() {
  const others = examples.filter((/** @type {string} */ e) => e !== prompt.value);
  set({ prompt: others[Math.floor(Math.random() * others.length)] ?? "" });
  focus();
}

/** The draft lives as long as the tab: a reload or the other language loses nothing, a closed tab keeps nothing. */
function keep() {
  sessionStorage.setItem(DRAFT, JSON.stringify({ ...settings(), prompt: prompt.value, source, strength }));
}

function restore() {
  const draft = JSON.parse(sessionStorage.getItem(DRAFT) || "{}");
  set({ ...draft, prompt: draft.prompt ?? "" }, draft.source || null);
}

