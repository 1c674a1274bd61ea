/**
 * The prompt: typing (Hangul in composition included), and asking for a drawing exactly once.
 */
import { Problem, call, connection } from "./api.js";
import { one } from "./dom.js";
import * as past from "./past.js";
import { clear, read, refused, say } from "./reading.js";
import { recall, remember } from "./recall.js";
import { announce } from "./say.js";
import * as settings from "./settings.js";
import { put, share } from "./store.js";
import { facts, w } from "./words.js";

/** @typedef {import("../types").Generation} Generation */

const SAME_MS = 1500;

const form = /** @type {HTMLFormElement} */ (one("#composer"));
const prompt = /** @type {HTMLTextAreaElement} */ (one("#prompt"));
let sending = false;
let waiting = false; // for the connection, and it is said
let last = { body: "", key: "", at: 0 };

/** @type {(generation: Generation) => void} */
let ondrawn = () => {};
/** @type {(text: string) => void} */
let completions = () => {};

/**
 * @param {(generation: Generation) => void} drawn  called with what the server accepted
 * @param {(before: string) => void} complete  called with the text before the cursor
 */
export function begin(drawn, complete) {
  ondrawn = drawn;
  completions = complete;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(settings.body());
  });
  prompt.addEventListener("keydown", onkey);
  prompt.addEventListener("input", ontyped);
  one("#example").addEventListener("click", example);
}

/**
 * Enter draws. While Hangul is being composed it only ends the syllable: browsers then say isComposing, or (Safari, after
 * its compositionend) only the old key code 229.
 * @param {KeyboardEvent} event
 */
function onkey(event) {
  if (event.isComposing || event.keyCode === 229) return;
  if (recall(event, prompt, (text) => (settings.set({ prompt: text }), focus()))) return;
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
  past.seek(prompt.value);
  read(prompt.value);
  completions(prompt.value.slice(0, prompt.selectionEnd));
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
  if (same !== last.body || Date.now() - last.at > SAME_MS)
    last = { body: same, key: crypto.randomUUID?.() ?? String(Math.random()), at: Date.now() };
  sending = true;
  busy(true);
  try {
    const generation = await insist(body, last.key);
    last.at = Date.now();
    share(generation.id);
    remember(generation.prompt);
    clear();
    if (waiting) (say(""), read(prompt.value));
    if (body.prompt === prompt.value.normalize("NFC").trim()) past.found(generation.similar || []);
    announce(w("tell.asked", { n: generation.n }));
    put(generation);
    ondrawn(generation);
    return generation;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    refuse(error);
    return null;
  } finally {
    sending = waiting = false;
    busy(false);
  }
}

/** @param {Record<string, any>} body @param {string} key @returns {Promise<import("../types").Accepted>} through a lost connection or a restart */
async function insist(body, key) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await call("POST", "/generations", { body, key });
    } catch (error) {
      if (!(error instanceof Problem) || attempt > 5) throw error;
      if (error.code === "not_ready")
        await new Promise((resolve) => setTimeout(resolve, 1000 * (error.retryAfter || 2)));
      else if (error.code !== "offline") throw error;
      say(error.code === "offline" ? w("note.waiting") : w("problem.not_ready"));
      waiting = true;
      await connection.back();
    }
  }
}

/** @param {Problem} problem */
function refuse(problem) {
  refused(problem);
  if (problem.code.startsWith("prompt") || problem.code === "publishing_rejected") prompt.focus();
  if (problem.code === "unknown_source_image") settings.attach(null);
}

/** @param {boolean} on */
function busy(on) {
  const button = one("#submit");
  button.setAttribute("aria-disabled", String(on));
  button.textContent = on ? w("submit.sending") : w("submit.draw");
}

/** Go to the prompt with the cursor at its end. */
export function focus() {
  prompt.focus();
  prompt.setSelectionRange(prompt.value.length, prompt.value.length);
}

function example() {
  const others = facts.examples.filter((e) => e !== prompt.value);
  settings.set({ prompt: others[Math.floor(Math.random() * others.length)] ?? "" });
  focus();
}
