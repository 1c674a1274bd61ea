/**
 * What can be done with a picture or a generation, wherever it is shown: draw again, vary, start from it, copy, link, delete.
 */
import { call } from "./api.js";
import { h } from "./dom.js";
import { complain, copy, toast } from "./say.js";
import { drop, find, leaving, put, share, staying } from "./store.js";
import { facts, w } from "./words.js";

/**
 * @typedef {import("../types").Generation} Generation
 * @typedef {import("../types").Past} Past
 * @typedef {import("../types").Picture} Picture
 */

const FLOOR = 0.5;
const MAX_TILE = 640; // pixels: of what is larger the thumbnail is shown

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
  "width",
  "height",
];

/** What the kinds of the fabric tab are made again from. @type {Record<string, string[]>} */
export const FABRIC = {
  pattern: ["prompt", "category", "palette", "n", "size"],
  apply: ["pattern_image", "item", "source_image", "mask_image", "scale", "turn", "offset_x", "offset_y", "mirror", "size"],
};

/** @type {{fill: (settings: Record<string, any>, source?: Picture | null) => void, draw: (body: Record<string, any>) => Promise<Generation | null>,
 *   redraw: () => void, rest: () => void}} what the page's parts do for each other; main.js gives it */
export const studio = { fill: () => {}, draw: async () => null, redraw: () => {}, rest: () => {} };

/**
 * @param {string} format
 * @param {Picture} picture
 * @param {{bare?: boolean, double?: boolean}} how  without prompt and settings; twice as wide and high
 * @returns {string}
 */
export const download = (format, picture, { bare, double }) =>
  `${picture.url}?format=${format}&download=1${bare ? "&metadata=none" : ""}${double ? "&scale=2" : ""}`;

/** @param {Picture} picture @param {string} prompt @param {number} index @param {number} n @returns {string} */
export const alt = (picture, prompt, index = 0, n = 1) =>
  picture.kind === "upload" ? w("alt.upload") : w(n > 1 ? "alt.of" : "alt.one", { prompt, i: index + 1, n });

/** @param {Generation} g @returns {string} its prompt as it may be typed: with a tag for each style that it had beside */
export const written = (g) => [g.prompt, ...(g.styles ?? []).map((s) => `<lora:${s.name}:${s.weight}>`)].join(" ");

/**
 * A link that fills the page: in the fragment, which browsers keep to themselves.
 * @param {Generation} generation
 * @param {Picture} [picture]  draw this one again: its seed, alone
 * @returns {string}
 */
export function linkTo(generation, picture) {
  /** @type {Record<string, any>} */
  const settings = { ...generation, prompt: written(generation), ...(picture ? { seed: picture.seed, n: 1 } : {}) };
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

/**
 * What of a search is near enough to be shown: with the encoder that ships, words of the studio's world score 0.53 and more
 * at their best picture, words from outside it (고양이, 자동차, ㅋㅋㅋㅋ) at most 0.47.
 * @param {Past[]} found
 * @returns {Past[]}
 */
export const near = (found) => found.filter((item) => (item.score ?? 1) >= FLOOR);

/**
 * A prompt with the words of a query marked, particles apart (원피스를 marks 원피스).
 * @param {string} prompt
 * @param {string} query  "" marks nothing
 * @returns {(string | HTMLElement)[]}
 */
export function marked(prompt, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const stems = words.map((word) => (prompt.toLowerCase().includes(word) || word.length < 3 ? word : word.slice(0, -1)));
  if (!stems.length) return [prompt];
  const escaped = stems.sort((a, b) => b.length - a.length).map((stem) => stem.replace(/[^\p{L}\p{N}]/gu, "\\$&"));
  const parts = prompt.split(new RegExp(`(${escaped.join("|")})`, "i"));
  return parts.filter(Boolean).map((part) => (stems.includes(part.toLowerCase()) ? h("mark", {}, part) : part));
}

/**
 * What a list may show now: without what is leaving.
 * @param {Past[]} items
 * @returns {Past[]}
 */
export const shownOf = (items) =>
  items
    .filter((item) => !leaving.has(item.generation_id))
    .map(staying)
    .filter((item) => item.images.length);

/**
 * Copy a link: to a public picture where everyone may open it, else to the page filled with its prompt and settings.
 * @param {Generation} generation
 * @param {Picture} [picture]
 */
export function copyLink(generation, picture) {
  if (generation.visibility !== "public" || generation.hidden || generation.status !== "succeeded")
    return copy(linkTo(generation, picture), w("done.link"));
  const i = Math.max(0, generation.images.findIndex((one) => one.id === picture?.id));
  return copy(`${location.origin}${location.pathname}#/gallery?look=${generation.id}.${i}`, w("done.link_public"));
}

/**
 * A picture for a place of a few hundred pixels: WebP without the prompt, a fifth of the file that is kept.
 * @param {Picture} picture
 * @returns {string}
 */
export const tileUrl = (picture) =>
  picture.width > MAX_TILE ? picture.thumbnail_url : `${picture.url}?format=webp&metadata=none`;

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
  if (FABRIC[all.kind]) {
    const given = FABRIC[all.kind].map((name) => [name, all[name]]);
    return studio.draw({ kind: all.kind, ...Object.fromEntries(given), ...(sameSeed && { seed: all.seed }) });
  }
  const body = Object.fromEntries(
    SETTINGS.filter((name) => all[name] !== undefined && all[name] !== null).map((name) => [name, all[name]]),
  );
  if (!sameSeed) delete body.seed;
  if (all.styles?.length) body.styles = all.styles;
  if (all.source_image) body.source_image = all.source_image;
  else delete body.strength;
  if (all.kind === "edit") {
    const { kind, replace, source_prompt, title, color, style, keep, mask_image } = all;
    for (const name of ["negative_prompt", "strength", "style"]) delete body[name];
    const way = replace?.length ? { replace } : title || color ? { title, color, style } : {};
    Object.assign(body, { kind, source_prompt, keep, mask_image }, way);
    if (!sameSeed) body.seed = Math.floor(Math.random() * 2 ** 32); // without one it would be the source's
  }
  if (!body.n) body.n = generation.images.length || 4;
  return studio.draw(body);
}

/** @param {Picture} picture @param {Generation} generation @param {number} strength */
export function vary(picture, generation, strength) {
  const { negative_prompt, refine, style, style_weight, steps, guidance_scale, refine_strength } = generation;
  return studio.draw({
    prompt: written(generation),
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
 * Take a whole generation out of sight now and delete it once it cannot be taken back any more.
 * @param {Generation | Past} generation
 */
export function remove(generation) {
  const id = "id" in generation ? generation.id : generation.generation_id;
  const kept = find(id);
  leaving.add(id);
  if (kept) drop(id);
  vanish({
    message: w("done.deleted", { n: generation.images.length || 1 }),
    work: away(generation.images, `/generations/${id}`),
    changed: id,
    restore() {
      leaving.delete(id);
      if (kept) put(kept);
    },
  });
}

/**
 * Take one picture out of sight, and delete it in the same way; the others of its generation stay.
 * @param {Generation} generation
 * @param {Picture} picture
 */
export function removeOne(generation, picture) {
  const kept = find(generation.id);
  leaving.add(picture.id);
  if (kept) put(kept);
  vanish({
    message: w("done.deleted", { n: 1 }),
    work: away([picture], `/images/${picture.id}`),
    changed: generation.id,
    restore() {
      leaving.delete(picture.id);
      if (kept) put(kept);
    },
  });
}

/**
 * Take several pictures of one generation out of sight, and delete them in the same way.
 * @param {Generation} generation
 * @param {Picture[]} pictures
 */
export function removeMany(generation, pictures) {
  const kept = find(generation.id);
  const images = pictures.map((picture) => picture.id);
  images.forEach((id) => leaving.add(id));
  if (kept) put(kept);
  vanish({
    message: w("done.deleted", { n: images.length }),
    work: away(pictures),
    changed: generation.id,
    restore() {
      images.forEach((id) => leaving.delete(id));
      if (kept) put(kept);
    },
  });
}

/**
 * How pictures are deleted: into the trash where the service has one, else for good.
 * @param {{id: string}[]} pictures  none of a drawing that failed
 * @param {string} [path]  of what they are all of
 * @returns {() => Promise<any>}
 */
export function away(pictures, path) {
  const body = { images: pictures.map((picture) => picture.id) };
  if (facts.trash_days && pictures.length) return () => call("POST", "/trash", { body, keepalive: true });
  if (path) return () => call("DELETE", path, { keepalive: true });
  return () => call("POST", "/images/delete", { body, keepalive: true });
}

/**
 * Say what is out of sight, with a way to take it back; without that it is deleted.
 * @param {{message: string, work: () => Promise<any>, changed?: string, restore: () => void}} what  work: deletes it (see away);
 *   changed: the generation it belongs to
 */
export function vanish({ message, work, changed, restore }) {
  studio.redraw();
  if (document.activeElement === document.body) studio.rest();
  const back = () => {
    restore();
    studio.redraw();
  };
  toast(message, {
    action: w("do.undo"),
    onaction: back,
    onend: () =>
      work()
        .then((receipt) => {
          if (changed) share(changed);
          if (receipt?.children_kept) toast(w("done.kept", { n: receipt.children_kept }));
        })
        .catch((error) => {
          if (error.status === 404) return;
          back();
          complain(error);
        }),
  });
}

/** @param {Generation} generation @param {"private" | "public"} visibility @returns {Promise<Generation | null>} */
export async function show(generation, visibility) {
  try {
    const changed = await call("PATCH", `/generations/${generation.id}`, { body: { visibility } });
    if (find(changed.id)) put(changed);
    share(changed.id);
    studio.redraw();
    toast(w(`done.${visibility}`), { ms: 4000 });
    return changed;
  } catch (error) {
    complain(error);
    return null;
  }
}
