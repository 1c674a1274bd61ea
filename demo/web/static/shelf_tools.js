/**
 * What stands above a shelf: its order, what it is filtered by, and the way to choose several pictures.
 */
import { get } from "./api.js";
import { h, icon } from "./dom.js";
import { complain } from "./say.js";
import { facts, lang, w } from "./words.js";

const SORTS = ["newest", "oldest", "liked", "random"];
const SOURCES = ["drawn", "edited", "photo"];
const SHUFFLES = 22;

/**
 * @param {string} place
 * @param {() => void} changed
 * @param {() => void} pick
 */
export function shelfTools(place, changed, pick) {
  let seed = 0;
  const sort = h("select", { "aria-label": w("sort.label"), onchange: sorted }, SORTS.map((name) => option(name, w(`sort.${name}`))));
  const picker = h("button.quiet.small", { onclick: pick, "aria-pressed": "false", data: { key: "pick" } }, icon("check"), w("pick.start"));
  const words = { garment: wordSelect("garment"), color: wordSelect("color"), style: choice("style", []) };
  const source = choice("source", SOURCES.filter((name) => place !== "gallery" || name !== "photo").map((name) => [name, w(`source.${name}`)]));
  const since = h("input", { type: "date", onchange: filtered });
  const until = h("input", { type: "date", onchange: filtered });
  const reset = h("button.quiet.small", { onclick: clear }, w("filter.reset"));
  const fields = { ...words, source };
  const many = h("span.many");
  const panel = h(
    "details.filters",
    { ontoggle: styled },
    h("summary", {}, icon("filter"), h("span", {}, w("filter.title")), many),
    h(
      "div.filter-fields",
      {},
      Object.entries(fields).map(([name, field]) => labelled(name, field)),
      labelled("since", since),
      labelled("until", until),
      reset,
    ),
  );
  const element = h("div.shelf-tools", {}, h("div.shelf-row", {}, sort, picker), panel);

  function sorted() {
    seed = Math.floor(Math.random() * SHUFFLES);
    changed();
  }

  function filtered() {
    const n = chosen().length;
    many.textContent = n ? String(n) : "";
    changed();
  }

  function clear() {
    for (const field of [...Object.values(fields), since, until]) field.value = "";
    filtered();
  }

  /** The styles are asked for when somebody first looks for one. */
  async function styled() {
    if (words.style.options.length > 1) return;
    try {
      const { styles } = await get("/styles");
      words.style.append(...styles.map((s) => option(s.name, s.label[lang])));
    } catch (error) {
      complain(error);
    }
  }

  /** @returns {[string, string][]} */
  function chosen() {
    const day = (/** @type {string} */ value, /** @type {number} */ later) => {
      if (!value) return "";
      const date = new Date(`${value}T00:00`); // in this person's place
      date.setDate(date.getDate() + later);
      return date.toISOString();
    };
    const all = [...Object.entries(fields).map(([name, field]) => [name, field.value]), ["since", day(since.value, 0)], ["until", day(until.value, 1)]];
    return /** @type {[string, string][]} */ (all.filter(([, value]) => value));
  }

  /** @param {string} name @param {[string, string][]} options */
  function choice(name, options) {
    return h("select", { name, onchange: filtered }, option("", w("filter.any")), options.map(([value, text]) => option(value, text)));
  }

  /** @param {string} kind */
  function wordSelect(kind) {
    const found = facts.chips.find((chip) => chip.kind === kind)?.words ?? [];
    return choice(kind, found.map((word) => [word, word]));
  }

  return {
    element,
    /** @returns {Record<string, string>} */
    query: () => ({ sort: sort.value, ...(sort.value === "random" ? { seed: String(seed) } : {}), ...Object.fromEntries(chosen()) }),
    filtering: () => chosen().length > 0,
    dated: () => ["newest", "oldest"].includes(sort.value) && source.value !== "photo",
    picking: (/** @type {boolean} */ on) => picker.setAttribute("aria-pressed", String(on)),
  };
}

/** @param {string} value @param {string} text */
const option = (value, text) => h("option", { value }, text);

/** @param {string} name @param {HTMLElement} field */
const labelled = (name, field) => h("label.field", {}, h("span", {}, w(`filter.${name}`)), field);
