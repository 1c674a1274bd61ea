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
let asked = ""; // what stood before the cursor when these were offered
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
export const complete = settled(async (/** @type {string} */ before) => {
  asking.abort();
  asking = new AbortController();
  if (!before.trim() || /\s$/.test(before)) return offer([]);
  const text = before.normalize("NFC");
  const head = text.slice(0, -NEAR); // an address has an end, and the last words are what counts
  const found = get(`/suggest?limit=8&q=${encodeURIComponent(text.slice(-NEAR))}`, asking.signal);
  answered = found.then(
    (/** @type {{suggestions: {text: string, completed: string}[]}} */ found) =>
      offer(
        found.suggestions.map((one) => ({ ...one, completed: head + one.completed })),
        before,
      ),
    () => undefined, // overtaken by the next letter, or no connection
  );
  await answered;
}, 90);

/** @param {typeof offers} given @param {string} [before]  what stood before the cursor when they were asked for */
function offer(given, before = "") {
  if (!given.length && !offers.length) return;
  [offers, asked] = [given, before];
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
    ? offers.map((o) => h("button.chip.offer", { onclick: () => finish(o.completed) }, o.text))
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

/** @returns {[string, string]} what stands before the cursor and behind it, now */
function halves() {
  const { value, selectionEnd: at } = composer.prompt;
  return [value.slice(0, at), value.slice(at)];
}

/** @param {string} before  the new text before the cursor @param {string} behind */
function take(before, behind) {
  offers = [];
  composer.set({ prompt: before + behind });
  composer.prompt.focus();
  composer.prompt.setSelectionRange(before.length, before.length);
}

/** @param {string} completed  what was offered for `asked`; letters typed since belong to the same word, another word does not */
function finish(completed) {
  const [before, behind] = halves();
  const since = before.startsWith(asked) ? before.slice(asked.length) : " ";
  if (/\s/.test(since)) return complete(before);
  take(completed, behind);
}

/** @param {string} word  goes where the cursor is, with a space on either side; a word begun there is finished by it */
function add(word) {
  const [typed, after] = halves();
  const begun = /\S+$/.exec(typed.normalize("NFC"))?.[0] ?? "";
  const before = (begun && word.startsWith(begun) ? typed.normalize("NFC").slice(0, -begun.length) : typed).trimEnd();
  const behind = after.trimStart();
  take(`${before}${before ? " " : ""}${word}${behind ? " " : ""}`, behind);
}
