/**
 * The row of words under the prompt: completions of what is being typed (half-typed Hangul included), and words that can be drawn.
 */
import { get } from "./api.js";
import { h, one, settled, walk } from "./dom.js";
import { facts, w } from "./words.js";

const NEAR = 300;

/** @type {{kind: string, label: string, words: string[]}[]} */
const kinds = facts.chips;
let kind = kinds[0]?.kind ?? "";
/** @type {{text: string, completed: string}[]} */
let offers = [];
let rest = "";
let asking = new AbortController();

/** @type {{prompt: HTMLTextAreaElement, set: (values: {prompt: string}) => void}} */
let composer;

/** @param {typeof composer} given */
export function begin(given) {
  composer = given;
  walkWords = walk(one("#chips"), "button", leaves);
  walkKinds = walk(one("#kinds"), "button");
  render();
}

/** @param {string} key  Up from the first row of words, and Escape from anywhere, go back to the prompt */
function leaves(key) {
  const [here, first] = [document.activeElement, one("#chips").firstElementChild];
  const top = here instanceof HTMLElement && here.offsetTop === first?.offsetTop;
  if (key !== "Escape" && !(key === "ArrowUp" && top)) return false;
  composer.prompt.focus();
  return true;
}

let answered = Promise.resolve();
let walkWords = () => {};
let walkKinds = () => {};

/**
 * Whether the word at the cursor may become one that can be drawn, once the server has said so.
 * @returns {Promise<boolean>}
 */
export const completing = async () => {
  await answered;
  return offers.length > 0;
};

/** Complete what stands before the cursor. */
export const complete = settled(async (/** @type {string} */ before, /** @type {string} */ after) => {
  asking.abort();
  asking = new AbortController();
  rest = after;
  if (!before.trim() || /\s$/.test(before)) return offer([]);
  const text = before.normalize("NFC");
  const head = text.slice(0, -NEAR); // an address has an end, and the last words are what counts
  const found = get(`/suggest?limit=8&q=${encodeURIComponent(text.slice(-NEAR))}`, asking.signal);
  answered = found.then(
    (/** @type {{suggestions: {text: string, completed: string}[]}} */ found) =>
      offer(found.suggestions.map((one) => ({ ...one, completed: head + one.completed }))),
    () => undefined, // overtaken by the next letter, or no connection
  );
  await answered;
}, 90);

/** @param {typeof offers} given */
function offer(given) {
  if (!given.length && !offers.length) return;
  offers = given;
  render();
}

function render() {
  const completing = offers.length > 0;
  one("#kinds").replaceChildren(
    ...kinds.map((k) =>
      h(
        "button.kind",
        {
          "aria-pressed": String(!completing && k.kind === kind),
          onclick: () => ((kind = k.kind), (offers = []), render(), pressed()),
        },
        k.label,
      ),
    ),
  );
  const words = completing
    ? offers.map((o) => h("button.chip.offer", { onclick: () => take(o.completed + rest) }, o.text))
    : (kinds.find((k) => k.kind === kind)?.words || []).map((word) =>
        h("button.chip", { onclick: () => add(word) }, word),
      );
  const chips = one("#chips");
  chips.replaceChildren(...words);
  chips.setAttribute("aria-label", completing ? w("chips.offers") : w("chips.words"));
  chips.scrollTo(0, 0);
  walkWords();
  walkKinds();
}

function pressed() {
  one('#kinds [aria-pressed="true"]').focus({ preventScroll: true });
}

/** @param {string} text  the whole prompt */
function take(text) {
  offers = [];
  composer.set({ prompt: text });
  const at = text.length - rest.length;
  composer.prompt.focus();
  composer.prompt.setSelectionRange(at, at);
}

/** @param {string} word  goes where the cursor is, with a space on either side */
function add(word) {
  const { value, selectionEnd: at } = composer.prompt;
  const before = value.slice(0, at).trimEnd();
  rest = value.slice(at).trimStart();
  take(`${before}${before ? " " : ""}${word}${rest ? " " : ""}${rest}`);
}
