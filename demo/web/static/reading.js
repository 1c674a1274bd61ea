/**
 * The line under the prompt: how much of the limit it uses, which words the checkpoint cannot know, why it was refused.
 */
import { call, explain } from "./api.js";
import { completing } from "./chips.js";
import { one, settled } from "./dom.js";
import { w } from "./words.js";

let reading = new AbortController();
let refusal = false;

/** @param {string} text @param {string} [kind]  "wrong" for what stands in the way */
export function say(text, kind = "") {
  const note = one("#prompt-note");
  if (note.textContent !== text) note.textContent = text;
  note.dataset.kind = kind;
}

/** @param {import("./api.js").Problem} problem  stays until the next letter */
export function refused(problem) {
  const { what, next } = explain(problem);
  refusal = true;
  say(`${what} ${next}`, "wrong");
}

/** Nothing stands in the way any more. */
export function clear() {
  if (refusal) say("");
  refusal = false;
}

/** Have the prompt read by the server's tokenizer, once the typing rests. */
export const read = settled(async (/** @type {string} */ text) => {
  reading.abort();
  const mine = (reading = new AbortController());
  if (!text.trim()) {
    one("#meter").hidden = true;
    return refusal || say("");
  }
  try {
    const seen = await call("POST", "/prompts/analyze", { body: { prompt: text }, signal: mine.signal });
    measure(seen.tokens, seen.max_tokens);
    const half = (await completing()) ? seen.normalized.trimEnd().length : -1; // the word being typed may still become a known one
    seen.unknown_words = seen.unknown_words.filter((/** @type {{end: number}} */ u) => u.end !== half);
    if (!refusal && !mine.signal.aborted) comment(seen);
  } catch {
    // Overtaken by the next letter, or no connection: the line stays as it was.
  }
}, 220);

/** @param {number} tokens @param {number} max */
function measure(tokens, max) {
  const part = Math.min(1, tokens / max);
  one("#meter-arc").style.strokeDasharray = `${part * 100} 100`;
  one("#meter").dataset.full = tokens > max ? "over" : part > 0.8 ? "near" : "";
  one("#meter").title = w("meter.title", { tokens, max });
  one("#meter-text").textContent = `${tokens}/${max}`;
  one("#meter").hidden = false;
}

/** @param {{tokens: number, max_tokens: number, unknown_words: {word: string}[], warnings: {code: string, message: string}[], allowed: boolean}} seen */
function comment({ tokens, max_tokens, unknown_words, warnings, allowed }) {
  const said = (/** @type {string} */ code) => warnings.find((x) => x.code === code)?.message;
  if (!allowed) {
    const { what, next } = explain({ code: "prompt_rejected", message: said("prompt_rejected") || "" });
    return say(`${what} ${next}`, "wrong");
  }
  if (tokens > max_tokens) return say(w("note.cut"), "wrong");
  if (unknown_words.length)
    return say(w("note.unknown", { words: [...new Set(unknown_words.map((u) => `‘${u.word}’`))].join(", ") }));
  say(warnings.find((x) => x.code !== "unknown_words")?.message || "");
}
