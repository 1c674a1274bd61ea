/**
 * What can be done with a picture or a generation, wherever it is shown: draw again, vary, start from it, copy, link, delete.
 */
import { call } from "./api.js";
import { complain, copy, toast } from "./say.js";
import { drop, find, put } from "./store.js";
import { w } from "./words.js";

/**
 * @typedef {import("../types").Generation} Generation
 * @typedef {import("../types").Past} Past
 * @typedef {import("../types").Picture} Picture
 */

/** The settings that draw a picture, in the order of the composer; also the names in a link. */
export const SETTINGS = [
  "prompt",
  "negative_prompt",
  "n",
  "seed",
  "steps",
  "guidance_scale",
  "refine",
  "refine_strength",
  "style",
  "style_weight",
  "strength",
];

/** @type {Set<string>} generations that a person deleted and may still take back: shown nowhere */
export const leaving = new Set();

/** @type {{fill: (settings: Record<string, any>, source?: Picture | null) => void, draw: (body: Record<string, any>) => Promise<Generation | null>,
 *   redraw: () => void, rest: () => void}} what the page's parts do for each other; main.js gives it */
export const studio = { fill: () => {}, draw: async () => null, redraw: () => {}, rest: () => {} };

/** @param {string} format @param {Picture} picture @param {boolean} [bare]  without prompt and settings @returns {string} */
export const download = (format, picture, bare) =>
  `${picture.url}?format=${format}&download=1${bare ? "&metadata=none" : ""}`;

/** @param {Picture} picture @param {string} prompt @param {number} index @param {number} n @returns {string} */
export const alt = (picture, prompt, index = 0, n = 1) =>
  picture.kind === "upload" ? w("alt.upload") : w(n > 1 ? "alt.of" : "alt.one", { prompt, i: index + 1, n });

/**
 * A link that fills the page: in the fragment, which browsers keep to themselves.
 * @param {Generation} generation
 * @param {Picture} [picture]  draw this one again: its seed, alone
 * @returns {string}
 */
export function linkTo(generation, picture) {
  /** @type {Record<string, any>} */
  const settings = { ...generation, ...(picture ? { seed: picture.seed, n: 1 } : {}) };
  const fields = new URLSearchParams();
  for (const name of SETTINGS) {
    const value = settings[name];
    if (value !== null && value !== "" && value !== undefined && (name !== "strength" || generation.source_image))
      fields.set(name, String(value));
  }
  return `${location.origin}${location.pathname}#draw?${fields}`;
}

/**
 * Read a link back; what is not a setting is ignored.
 * @param {string} hash
 * @returns {Record<string, any> | null}
 */
export function fromLink(hash) {
  if (!hash.startsWith("#draw?")) return null;
  /** @type {Record<string, any>} */
  const settings = {};
  for (const [name, value] of new URLSearchParams(hash.slice(6))) {
    if (!SETTINGS.includes(name)) continue;
    if (["prompt", "negative_prompt", "style"].includes(name)) settings[name] = value;
    else if (name === "refine") settings.refine = value !== "false";
    else if (Number.isFinite(Number(value))) settings[name] = Number(value);
  }
  return settings;
}

/** @param {Generation} g @returns {Past} as a search would have found it */
export const asPast = (g) => ({
  generation_id: g.id,
  prompt: g.prompt,
  created_at: g.created_at,
  mine: g.mine,
  seed: g.seed,
  images: g.images,
});

/** @param {Generation} generation @param {Picture} [picture] */
export const copyLink = (generation, picture) => copy(linkTo(generation, picture), w("done.link"));

/** @param {string} prompt */
export const copyPrompt = (prompt) => copy(prompt, w("done.prompt"));

/**
 * Draw the same prompt again, with the same or a new seed.
 * @param {Generation | Past} generation
 * @param {boolean} sameSeed
 */
export function again(generation, sameSeed) {
  /** @type {Record<string, any>} */
  const all = generation;
  const body = Object.fromEntries(
    SETTINGS.filter((name) => all[name] !== undefined && all[name] !== null).map((name) => [name, all[name]]),
  );
  if (!sameSeed) delete body.seed;
  if (all.source_image) body.source_image = all.source_image;
  else delete body.strength;
  if (!body.n) body.n = generation.images.length || 4;
  return studio.draw(body);
}

/** @param {Picture} picture @param {Generation} generation @param {number} strength */
export function vary(picture, generation, strength) {
  const { prompt, negative_prompt, refine, style, style_weight, steps, guidance_scale, refine_strength } = generation;
  return studio.draw({
    prompt,
    negative_prompt,
    refine,
    style,
    style_weight,
    steps,
    guidance_scale,
    refine_strength,
    n: 4,
    source_image: picture.id,
    strength,
  });
}

/**
 * Take it out of sight now and delete it once it cannot be taken back any more.
 * @param {Generation | Past} generation
 */
export function remove(generation) {
  const id = "id" in generation ? generation.id : generation.generation_id;
  const kept = find(id);
  leaving.add(id);
  if (kept) drop(id);
  studio.redraw();
  if (document.activeElement === document.body) studio.rest();
  const restore = () => {
    leaving.delete(id);
    if (kept) put(kept);
    studio.redraw();
  };
  toast(w("done.deleted"), {
    action: w("do.undo"),
    onaction: restore,
    onend: () =>
      call("DELETE", `/generations/${id}`, { keepalive: true }).catch((error) => {
        if (error.status === 404) return;
        restore();
        complain(error);
      }),
  });
}

/** @param {Generation} generation @param {"private" | "public"} visibility @returns {Promise<Generation | null>} */
export async function show(generation, visibility) {
  try {
    const changed = await call("PATCH", `/generations/${generation.id}`, { body: { visibility } });
    if (find(changed.id)) put(changed);
    studio.redraw();
    toast(w(`done.${visibility}`), { ms: 4000 });
    return changed;
  } catch (error) {
    complain(error);
    return null;
  }
}
