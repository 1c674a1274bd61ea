/**
 * What is set in the form: the body of a request and back, sliders that rest until touched, the picture to start from, the draft.
 */
import { Problem, connection, get } from "./api.js";
import { crop } from "./crop.js";
import { h, icon, one } from "./dom.js";
import { alt } from "./pictures.js";
import { complain } from "./say.js";
import * as styles from "./styles.js";
import { facts, w } from "./words.js";

/** @typedef {import("../types").Picture} Picture */

const { defaults, limits, refines } = facts;
const { seed: SEED, style_weight: WEIGHT } = limits.ranges.draw;
const [low, high, step] = limits.ranges.vary.strength.slider;
/** @type {("steps" | "guidance_scale" | "refine_strength" | "style_weight")[]} */
const SLIDES = ["steps", "guidance_scale", "refine_strength", "style_weight"];
// how much of the picture started from is drawn anew: at 0.8 the old colour of a drawing still shows through a new one, at
// 0.9 it does not, and shape and background stay; of a photo 0.9 leaves too little
const STRENGTH = { upload: 0.8, generated: 0.9 };
const DRAFT = "draft";
const AGAIN_MS = 5000; // until a worker has opened the checkpoint

const form = /** @type {HTMLFormElement} */ (one("#composer"));
const prompt = /** @type {HTMLTextAreaElement} */ (one("#prompt"));
/** @type {Set<string>} sliders the person moved; the others are left to the checkpoint */
const chosen = new Set();
/** @type {Record<string, number>} */
const usual = { style_weight: WEIGHT.default };
/** @type {Picture | null} */
let source = null;
let strength = STRENGTH.generated;
let moved = false; // the person chose the strength
/** @type {import("../types").OfferedShape[]} shapes that the checkpoint draws; none before they have arrived */
let shapes = [];
/** @type {{width: number | null, height: number | null}} of a recipe, until they have */
let wanted = { width: null, height: null };

/** Take up the draft of this tab, and listen. */
export function begin() {
  form.addEventListener("input", oninput);
  one("#roll").addEventListener("click", () => set({ seed: Math.floor(Math.random() * SEED.exclusiveMaximum) }));
  one("#reset").addEventListener("click", () => set(plain()));
  tuck(matchMedia("(max-width: 1079px)"));
  restore();
  fetchOffers();
}

/** @returns {Record<string, any>} the request body the form stands for */
export function body() {
  const fields = new FormData(form);
  /** @type {Record<string, any>} */
  const asked = {
    prompt: prompt.value.normalize("NFC").trim(),
    negative_prompt: String(fields.get("negative_prompt") || "")
      .normalize("NFC")
      .trim(),
    n: Number(fields.get("n")) || defaults.n,
    visibility: fields.get("visibility"),
  };
  if (refines) asked.refine = fields.has("refine");
  const seed = String(fields.get("seed") || "").trim();
  if (/^\d+$/.test(seed)) asked.seed = Math.min(Number(seed), SEED.exclusiveMaximum - 1);
  if (fields.get("style")) asked.style = fields.get("style");
  const beside = styles.beside(fields);
  if (beside.length) asked.styles = beside;
  for (const name of SLIDES) if (chosen.has(name) && used(name)) asked[name] = Number(fields.get(name));
  const shape = shapes.find((s) => s.name === fields.get("shape"));
  if (shape && (source || shape.name !== "square")) Object.assign(asked, { width: shape.width, height: shape.height });
  if (source) Object.assign(asked, { source_image: source.id, strength });
  return asked;
}

/** @returns {Record<string, any>} */
const plain = () => ({
  n: defaults.n,
  seed: null,
  refine: defaults.refine,
  style: "",
  styles: [],
  width: null,
  height: null,
  negative_prompt: "",
  visibility: "private",
  ...Object.fromEntries(SLIDES.map((s) => [s, null])),
});

/**
 * Fill the form; settings that are not named stay.
 * @param {Record<string, any>} values
 * @param {Picture | null} [picture]  undefined leaves the one that is there
 */
export function set(values, picture) {
  const field = (/** @type {string} */ name) => /** @type {any} */ (form.elements.namedItem(name));
  if (values.prompt !== undefined) prompt.value = values.prompt;
  if (values.style !== undefined) styles.choose(values.style ?? "");
  if (values.styles !== undefined) styles.chooseBeside(values.styles);
  for (const name of ["negative_prompt", "seed"])
    if (values[name] !== undefined) field(name).value = values[name] ?? "";
  for (const name of ["n", "visibility"])
    if (values[name] && [...field(name)].some((/** @type {any} */ o) => o.value === String(values[name])))
      field(name).value = String(values[name]);
  if (refines && values.refine !== undefined) field("refine").checked = values.refine;
  for (const name of SLIDES) {
    if (values[name] === undefined) continue;
    if (values[name] === null) chosen.delete(name);
    else (chosen.add(name), (field(name).value = values[name]));
  }
  if (values.strength) ((strength = values.strength), (moved = true));
  if (picture !== undefined) attach(picture);
  if (values.width !== undefined || values.height !== undefined) shaped({ width: values.width ?? null, height: values.height ?? null });
  if (values.prompt !== undefined) prompt.dispatchEvent(new Event("input", { bubbles: true }));
  else render();
}

/** @param {{width: number | null, height: number | null}} size  of a recipe: the shape of its orientation is chosen */
function shaped(size) {
  wanted = size;
  const long = (size.height ?? 0) - (size.width ?? 0);
  const name = long > 0 ? "portrait" : long < 0 ? "landscape" : "square";
  for (const input of one("#shapes").querySelectorAll("input")) input.checked = input.value === name;
}

/** @param {string} name @returns {boolean} whether the slider means anything now */
function used(name) {
  if (name === "refine_strength") return refines && /** @type {any} */ (form.elements.namedItem("refine")).checked;
  if (name === "style_weight") return styles.isLora(String(new FormData(form).get("style")));
  return true;
}

/** @param {Event} event */
function oninput(event) {
  const input = event.target;
  if (input instanceof HTMLInputElement && SLIDES.some((name) => name === input.name)) chosen.add(input.name);
  render();
}

/** Say what is set: beside each slider, and on the closed drawer. */
function render() {
  styles.render();
  for (const name of SLIDES) {
    const slide = one(`[data-slide="${name}"]`);
    const range = slide.querySelector("input");
    if (!chosen.has(name) && usual[name]) range.value = String(usual[name]);
    slide.hidden = !used(name);
    slide.querySelector("output").textContent = chosen.has(name)
      ? range.value
      : usual[name]
        ? w("more.usual", { n: usual[name] })
        : w("more.auto");
  }
  const asked = body();
  one("#chosen-settings").textContent = [
    w("more.count", { n: asked.n }),
    w(`fact.${asked.visibility}`),
    asked.seed !== undefined && w("fact.seed", { seed: asked.seed }),
    asked.refine === false && w("more.unrefined"),
  ]
    .filter(Boolean)
    .join(" · ");
  keep();
}

/** What the server offers: styles by name, shapes, and where its sliders rest; more of it once a worker has said what it draws. */
async function fetchOffers() {
  try {
    const [offered, models] = await Promise.all([get("/styles"), get("/models")]);
    offer(models.shapes);
    styles.offer(offered.styles);
    for (const name of SLIDES) usual[name] = models.defaults[name] ?? defaults[name] ?? usual[name];
    render();
    if (!models.checkpoint.loaded) setTimeout(fetchOffers, AGAIN_MS);
  } catch (error) {
    if (error instanceof Problem && error.code === "offline") connection.back().then(fetchOffers);
    else complain(error);
  }
}

/** @param {import("../types").OfferedShape[]} offered  a choice of one is none */
function offer(offered) {
  shapes = offered;
  const place = one("#shapes");
  place.hidden = offered.length < 2;
  const choices = (place.hidden ? [] : offered).map(({ name }) =>
    h("label", {}, h("input", { type: "radio", name: "shape", value: name }), h("span", {}, w(`shape.${name}`))),
  );
  place.replaceChildren(one("#shapes legend"), ...choices);
  shaped(wanted);
}

/** @param {Picture | null} picture  the picture to start from, shown in the box with how much of it may change */
export function attach(picture) {
  source = picture;
  if (picture?.kind === "generation") shaped({ width: picture.width, height: picture.height }); // as it would be drawn unasked
  if (!picture) moved = false;
  else if (!moved) strength = picture.kind === "upload" ? STRENGTH.upload : STRENGTH.generated;
  const place = one("#source");
  place.hidden = !picture;
  if (picture) {
    const output = h("output", {}, strengthText());
    place.replaceChildren(
      h("img", { src: picture.thumbnail_url, alt: alt(picture, ""), width: 64, height: 64 }),
      h(
        "label",
        {},
        h("span", {}, w("source.strength"), " ", output),
        h("input", {
          type: "range",
          min: low,
          max: high,
          step,
          value: strength,
          oninput: (/** @type {any} */ e) => {
            moved = true;
            strength = Number(e.target.value);
            output.textContent = strengthText();
          },
        }),
        h("span.ends", { "aria-hidden": "true" }, h("span", {}, w("source.little")), h("span", {}, w("source.much"))),
      ),
      h(
        "button.tool",
        {
          "aria-label": w("source.remove"),
          title: w("source.remove"),
          onclick: () => (attach(null), prompt.focus()),
        },
        icon("close"),
      ),
      picture.kind === "upload" ? editable(picture) : "",
      picture.width === picture.height ? "" : squared(picture),
    );
  } else place.replaceChildren();
  keep();
}

/** @param {Picture} picture  an upload: its words can be changed, too */
const editable = (picture) =>
  h(
    "p.squared",
    {},
    w("source.edit"),
    h("button.link", { onclick: () => (location.hash = `#/?look=${picture.id}.photo`) }, w("do.edit_photo")),
  );

/** @param {Picture} picture  one that is not square: what is drawn from, and a way to choose it */
const squared = (picture) =>
  h(
    "p.squared",
    {},
    w("source.square"),
    h("button.link", { onclick: () => crop(picture).then((cut) => cut && attach(cut)) }, w("source.crop")),
  );

/** @param {string} id  a photo that is gone is not started from */
export const forget = (id) => source?.id === id && attach(null);

const strengthText = () => `${Math.round(strength * 100)}%`;

/** @param {MediaQueryList} narrow  there the few choices go in with the others, so that similar pictures come into sight */
function tuck(narrow) {
  const place = () =>
    narrow.matches ? one(".more-body").prepend(one(".choices")) : one("#more").before(one(".choices"));
  narrow.addEventListener("change", place);
  place();
}

/** The draft lives as long as the tab: a reload or the other language loses nothing, a closed tab keeps nothing. */
function keep() {
  sessionStorage.setItem(DRAFT, JSON.stringify({ ...body(), prompt: prompt.value, source, strength: moved ? strength : undefined }));
}

function restore() {
  const draft = JSON.parse(sessionStorage.getItem(DRAFT) || "{}");
  set({ ...draft, prompt: draft.prompt ?? "" }, draft.source || null);
}
