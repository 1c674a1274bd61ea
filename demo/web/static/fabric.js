/**
 * Fabric: choose a category or say what the cloth is to look like, nine patterns at once, keep one and shuffle the others,
 * download it; fabric_wear.js tries it on. Loaded when the place is first opened.
 */
import { call, explain, get } from "./api.js";
import { fill, h, icon, one, walk } from "./dom.js";
import { wear } from "./fabric_wear.js";
import { announce, complain } from "./say.js";
import { find, listen, put, share, unfinished } from "./store.js";
import { send } from "./upload.js";
import { lang, w } from "./words.js";

/**
 * @typedef {import("../types").Picture} Picture
 * @typedef {import("../types").Labelled} Labelled
 */

const MOST = 9;
const COLORS = 4;
const SHEETS = [512, 1024, 2048, 4096];
const SPARE = ["#f4f0e6", "#2b4c8c", "#c8443c", "#3c7a52"]; // what a colour that is added begins with
/** @type {import("../types").Fabric | null} */
let known = null;
let category = "stripes";
let text = "";
/** @type {string[]} */
let palette = [];
/** @type {Picture[]} */
let patterns = [];
/** @type {Picture | null} the pattern that is tried on */
let chosen = null;
let kept = false; // the chosen one stays where the others are shuffled
let going = ""; // the generation that is being made
let sheet = 1024;
/** @type {{what: string, next: string} | null} */
let wrong = null;

const making = h("section.card.fabric-make", { "aria-labelledby": "fabric-make" });
const trying = h("div.fabric-try");
const room = wear(trying);

listen((id, generation) => {
  if (!going || id !== going) return;
  if (generation && unfinished(generation)) return render();
  going = "";
  wrong = generation?.error ? explain(generation.error) : null;
  if (generation?.status === "succeeded") {
    patterns = [...(kept && chosen ? [chosen] : []), ...generation.images].slice(0, MOST);
    announce(w("fabric.made", { n: generation.images.length }));
    if (!kept && generation.images[0]) choose(generation.images[0]);
  }
  render();
});

/** @param {string} rest  "", the id of a picture to use as the pattern, or on- and that of one to put a pattern on */
export async function open(rest) {
  if (!making.isConnected) one("#fabric").append(making, trying);
  render();
  try {
    known ??= await get("/fabric");
    room.tell(known);
    if (rest) {
      const info = await get(`/images/${rest.replace("on-", "")}/info`);
      if (rest.startsWith("on-")) await room.on({ picture: info });
      else choose(info);
      history.replaceState(null, "", "#/fabric");
    }
  } catch (error) {
    complain(error);
  }
  render();
}

// what main.js asks of every place
export const redraw = () => {};
export const order = () => patterns.filter((p) => p.generation_id).map((p) => ({ id: p.generation_id ?? "", n: 1, picture: p.id }));
export const picking = () => false;
export const end = () => {};

/** @param {Picture} picture */
function choose(picture) {
  chosen = picture;
  room.use(picture);
  render();
}

async function make() {
  if (going || !known) return;
  wrong = null;
  const n = kept && chosen ? MOST - 1 : MOST;
  const asked = text.trim() ? { prompt: text.normalize("NFC").trim() } : { category };
  try {
    const made = await call("POST", "/generations", { body: { kind: "pattern", n, ...asked, palette: palette.length ? palette : null } });
    going = made.id;
    share(made.id);
    put(made);
    announce(w("fabric.making"));
  } catch (error) {
    wrong = explain(/** @type {any} */ (error));
  }
  render();
}

/** @param {Event} event  a picture of one's own as the pattern */
async function bring(event) {
  const input = /** @type {HTMLInputElement} */ (event.target);
  const file = input.files?.[0];
  input.value = "";
  if (!file) return;
  try {
    const picture = await send(file);
    patterns = [picture, ...patterns.filter((p) => p.id !== picture.id)].slice(0, MOST);
    choose(picture);
  } catch (error) {
    complain(error);
  }
}

function render() {
  fill(making, [
    h("h2", { id: "fabric-make" }, w("fabric.choose")),
    known && !known.patterns && h("p.note", { data: { kind: "heed" } }, w("fabric.no_generator")),
    known?.patterns && asking(known.categories),
    h(
      "div.group",
      {},
      known?.patterns && [
        h("button.primary", { onclick: make, data: { key: "make" }, "aria-disabled": String(Boolean(going)) }, w("fabric.make")),
        h("button.quiet", { onclick: make, data: { key: "shuffle" }, disabled: !patterns.length || Boolean(going) }, icon("roll"), w("fabric.shuffle")),
      ],
      h("label.button.quiet.bring", {}, h("input.sr", { type: "file", accept: "image/png,image/jpeg,image/webp", onchange: bring, data: { key: "bring" } }), icon("picture"), w("fabric.bring")),
    ),
    going && waiting(),
    wrong && h("p.wrong", { role: "alert" }, `${wrong.what} ${wrong.next}`),
    warned(),
    nine(),
    chosen && keeping(chosen),
  ]);
}

/** @param {Labelled[]} categories */
function asking(categories) {
  const sentence = h("input", {
    id: "fabric-text",
    value: text,
    maxLength: 200,
    autocomplete: "off",
    placeholder: w("fabric.example"),
    data: { key: "text" },
    oninput: () => ((text = sentence.value), chips.querySelectorAll("button").forEach((b) => b.setAttribute("aria-pressed", String(!text && b.dataset.key === category)))),
    onkeydown: (/** @type {KeyboardEvent} */ e) => e.key === "Enter" && !e.isComposing && e.keyCode !== 229 && make(),
  });
  const chips = h(
    "div.chips",
    { role: "group", "aria-label": w("fabric.category") },
    categories.map(({ id, label }) =>
      h("button.chip", { "aria-pressed": String(!text && id === category), data: { key: id }, onclick: () => (([category, text] = [id, ""]), render()) }, label[lang]),
    ),
  );
  walk(chips, "button")();
  return h("div.fabric-ask", {}, h("label.field", { for: "fabric-text" }, h("span", {}, w("fabric.sentence")), sentence), chips, colors());
}

function colors() {
  const set = (/** @type {number} */ i, /** @type {string} */ value) => (palette[i] = value);
  return h(
    "div.swatches",
    { role: "group", "aria-label": w("fabric.palette") },
    h("span", {}, w("fabric.palette")),
    palette.map((color, i) =>
      h("input", { type: "color", value: color, "aria-label": w(i ? "fabric.color" : "fabric.ground", { n: i + 1 }), data: { key: `color-${i}` }, oninput: (/** @type {any} */ e) => set(i, e.target.value) }),
    ),
    palette.length < COLORS &&
      h("button.quiet.small", { data: { key: "add-color" }, onclick: () => ((palette = [...palette, SPARE[palette.length]]), render()) }, w("fabric.add_color")),
    palette.length > 0
      ? h("button.quiet.small", { data: { key: "free" }, onclick: () => ((palette = []), render()) }, w("fabric.any_color"))
      : h("span.soft", {}, w("fabric.any")),
  );
}

function waiting() {
  const g = find(going);
  return h("p.soft", { role: "status" }, g?.position ? w("where.queued", { n: g.position }) : w("fabric.making"));
}

/** What of the sentence says nothing about a pattern. */
function warned() {
  const g = patterns.length ? find(patterns[patterns.length - 1].generation_id ?? "") : null;
  return g && g.warnings.length > 0 && h("p.heed", {}, g.warnings.map((x) => x.message).join(" "));
}

function nine() {
  if (!patterns.length) return h("p.soft", {}, w(known?.patterns === false ? "fabric.bring_hint" : "fabric.hint"));
  const tiles = h(
    "div.nine",
    { role: "group", "aria-label": w("fabric.patterns") },
    patterns.map((picture, i) =>
      h(
        "button.swatch",
        { "aria-pressed": String(picture.id === chosen?.id), "aria-label": w("fabric.pattern", { n: i + 1 }), data: { key: picture.id }, onclick: () => choose(picture) },
        h("img", { src: picture.kind === "upload" ? picture.thumbnail_url : picture.url, alt: "", width: 128, height: 128 }),
      ),
    ),
  );
  walk(tiles, "button")();
  return tiles;
}

/** @param {Picture} picture */
function keeping(picture) {
  const made = picture.kind === "generation";
  const link = (/** @type {string} */ key, /** @type {string} */ query, /** @type {string} */ words) =>
    h("a.button.quiet.small", { href: `${picture.url}?${query}&download=1`, download: "", data: { key } }, words);
  return h(
    "div.fabric-keep",
    {},
    h("button.quiet.small", { "aria-pressed": String(kept), data: { key: "keep" }, onclick: () => ((kept = !kept), render()) }, icon("check"), w("fabric.keep")),
    made && h("a.button.quiet.small", { href: `#/fabric?look=${picture.generation_id}.${picture.id}`, data: { key: "look" } }, icon("full"), w("fabric.look")),
    made && h(
      "div.downloads",
      { role: "group", "aria-label": w("do.download") },
      h("span", {}, icon("down"), w("fabric.tile")),
      link("tile-png", "format=png", "PNG"),
      link("tile-jpeg", "format=jpeg", "JPG"),
      h("label", {}, h("span", {}, w("fabric.sheet")), h("select", { data: { key: "sheet" }, onchange: (/** @type {any} */ e) => ((sheet = Number(e.target.value)), render()) }, SHEETS.map((side) => h("option", { value: side, selected: side === sheet }, `${side}×${side}`)))),
      link("sheet-png", `format=png&sheet=${sheet}`, "PNG"),
      link("sheet-jpeg", `format=jpeg&sheet=${sheet}`, "JPG"),
    ),
    h("p.soft", {}, w("fabric.saved")),
  );
}
