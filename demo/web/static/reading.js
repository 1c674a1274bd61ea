/**
 * The lines under the prompt: how much of the limit it uses, why it was refused, what cannot be drawn (with prompts near to
 * it that can), and what is read otherwise than it was typed.
 */
import { call, explain } from "./api.js";
import { completing } from "./chips.js";
import { fill, h, one, settled } from "./dom.js";
import { w } from "./words.js";

/** @typedef {import("../types").Analysis} Analysis */

const REST_MS = 700; // so long an unfinished prompt is not called one without clothes

let reading = new AbortController();
let refusal = false;
/** @type {(prompt: string) => void} */
let take = () => {};

/** @param {(prompt: string) => void} taken  called with the example that a person chose */
export function begin(taken) {
  take = taken;
}

/** @param {string} text @param {"" | "wrong" | "heed"} [kind]  wrong: what stands in the way; heed: what is better known before drawing */
export function say(text, kind = "") {
  tell(text ? [text] : [], kind);
}

/** @param {import("./api.js").Problem} problem  stays until the next letter */
export function refused(problem) {
  const { what, next } = explain(problem);
  refusal = true;
  say(`${what} ${next}`.trim(), problem.code.endsWith("_rejected") ? "heed" : "wrong");
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
    /** @type {Analysis} */
    const seen = await call("POST", "/prompts/analyze", { body: { prompt: text }, signal: mine.signal });
    measure(seen.tokens, seen.max_tokens);
    const half = (await completing()) ? seen.normalized.trimEnd().length : -1; // the word being typed may still become a known one
    const unknown = seen.unknown_words.filter((u) => u.end !== half);
    const show = () => refusal || mine.signal.aborted || comment({ ...seen, unknown_words: unknown });
    if (seen.outside && !unknown.length) setTimeout(show, REST_MS);
    else show();
  } catch {
    // Overtaken by the next letter, or no connection: the line stays as it was.
  }
}, 220);

/** @param {number | null} tokens @param {number | null} max  null while the server has no tokenizer */
function measure(tokens, max) {
  one("#meter").hidden = tokens === null || !max;
  if (tokens === null || !max) return;
  const part = Math.min(1, tokens / max);
  one("#meter-arc").style.strokeDasharray = `${part * 100} 100`;
  one("#meter").dataset.full = tokens > max ? "over" : part > 0.8 ? "near" : "";
  one("#meter").title = w("meter.title", { tokens, max });
  one("#meter-text").textContent = `${tokens}/${max}`;
}

/** @param {Analysis} seen */
function comment(seen) {
  if (!seen.allowed) {
    const message = seen.warnings.find((x) => x.code === "prompt_rejected")?.message || "";
    const { what, next } = explain({ code: "prompt_rejected", message });
    return say(`${what} ${next}`.trim(), "heed");
  }
  if (seen.tokens !== null && seen.max_tokens && seen.tokens > seen.max_tokens) return say(w("note.cut"), "wrong");
  const words = [...new Set(seen.unknown_words.map((u) => `‘${u.word}’`))].join(", ");
  const readings = new Map(seen.read_as.map((r) => [r.word, w("note.read_part", { word: `‘${r.word}’`, meant: `‘${r.meant}’` })]));
  tell(
    [
      seen.outside ? (words ? w("note.outside_words", { words }) : w("note.outside")) : words && w("note.unknown", { words }),
      seen.outside &&
        h(
          "span.near",
          {},
          seen.examples.map((e) => h("button.chip", { data: { key: e }, onclick: () => take(e) }, e)),
        ),
      seen.unwanted && w("note.unwanted", { words: seen.unwanted.split(", ").map((x) => `‘${x}’`).join(", ") }),
      readings.size && w("note.read", { parts: [...readings.values()].join(", ") }),
    ],
    seen.outside ? "heed" : "",
  );
}

/** @param {(string | Node | false | 0)[]} lines @param {string} kind */
function tell(lines, kind) {
  const note = one("#prompt-note");
  const made = lines.filter(Boolean).map((line) => (line instanceof Node ? line : h("span.remark", {}, String(line))));
  const remarks = made.map((line) => line.textContent).join("\n");
  note.dataset.kind = kind;
  if (note.dataset.remarks === remarks) return; // a live region speaks at every change
  note.dataset.remarks = remarks;
  fill(note, made);
}
