/**
 * One generation on the wall: its prompt, a place for every picture from the first moment (nothing jumps when they come),
 * and below either how far it is or what can be done with it.
 */
import { call, explain } from "./api.js";
import { fill, h, icon } from "./dom.js";
import { FABRIC, again, alt, copyLink, remove, studio, tileUrl } from "./pictures.js";
import { announce, complain } from "./say.js";
import { put, unfinished } from "./store.js";
import { about, ago, facts, w } from "./words.js";

/** @typedef {import("../types").Generation} Generation */

/** @type {WeakSet<HTMLImageElement>} places whose preview is on its way */
const fetching = new WeakSet();

/**
 * @param {Generation} first
 * @returns {{element: HTMLElement, update: (generation: Generation) => void}}
 */
export function generationCard(first) {
  /** @type {HTMLButtonElement[]} */
  let tiles = [];
  const places = h("div.tiles");
  const head = h("header.generation-head");
  const foot = h("div.generation-foot");
  const element = h(
    "article.generation",
    { data: { id: first.id }, tabIndex: -1 },
    head,
    places,
    foot,
  );
  let shown = "";
  const update = (/** @type {Generation} */ g) => {
    element.dataset.status = g.status;
    element.setAttribute("aria-busy", String(unfinished(g)));
    element.setAttribute("aria-label", g.prompt);
    fill(head, headOf(g));
    const key = unfinished(g) ? "going" : `${g.status} ${g.images.length} ${g.visibility}`; // a button under someone's finger stays the same button
    const held = foot.contains(document.activeElement);
    if (key !== shown) fill(foot, [footOf(g)]);
    if (held && !foot.contains(document.activeElement)) element.focus({ preventScroll: true });
    shown = key;
    advance(foot, g);
    const count = g.status === "succeeded" ? g.images.length : g.n; // some may have been deleted
    if (tiles.length !== count) {
      tiles = Array.from({ length: count }, empty);
      places.dataset.n = String(count);
      places.replaceChildren(...tiles);
    }
    places.style.setProperty("--shape", g.width && g.height ? `${g.width} / ${g.height}` : "1");
    tiles.forEach((tile, i) => show(tile, g, i));
  };
  update(first);
  return { element, update };
}

const empty = () => h("button.tile", { disabled: true }, h("img", { alt: "", hidden: true, decoding: "async" }));

/** @param {Generation} g @returns {boolean} edits do not say: they are refined where pictures are */
const refines = (g) => g.refine ?? facts.refines;

/** @param {Generation} g @returns {string[]} */
const stagesOf = (g) => (FABRIC[g.kind] ? ["queued", g.kind] : ["queued", "base", ...(refines(g) ? ["refiner"] : [])]);

/** @param {Generation} g */
function headOf(g) {
  const when = g.status === "succeeded" || g.status === "failed" ? ago(g.created_at) : w(`status.${g.status}`);
  return [
    h("h3.prompt", {}, g.prompt),
    h(
      "p.facts",
      {},
      g.source_image && h("span", { title: w("fact.source") }, icon("from")),
      icon(g.visibility === "public" ? "world" : "lock"),
      h("span.sr", {}, w(`fact.${g.visibility}`)),
      when,
    ),
    g.warnings.length > 0 && h("p.heed", {}, g.warnings.map((x) => x.message).join(" ")),
  ];
}

/** @param {Generation} g */
function footOf(g) {
  if (unfinished(g)) {
    return h(
      "div.going",
      {},
      h(
        "ol.stages",
        {},
        stagesOf(g).map((stage) =>
          h("li", { data: { stage } }, w(`stage.${stage}`)),
        ),
      ),
      h("progress", { max: 1, "aria-label": w("stage.progress") }),
      h("p.where"),
      h(
        "button.quiet.small",
        { data: { key: "cancel" }, onclick: (/** @type {Event} */ e) => stop(g.id, e) },
        w("do.cancel"),
      ),
    );
  }
  if (g.status === "succeeded") {
    return h(
      "div.actions",
      {},
      FABRIC[g.kind]
        ? action("fabric", "do.wear", () => (location.hash = `#/fabric/${g.images[0].id}`))
        : action("text", "do.use", () => studio.fill({ prompt: g.prompt })),
      action("again", "do.again", () => again(g, false)),
      action("link", "do.link", () => copyLink(g)),
      action("trash", g.images.length > 1 ? "do.delete_all" : "do.delete", () => remove(g), g.images.length),
    );
  }
  const { what, next } = g.error ? explain(g.error) : { what: w("status.cancelled"), next: "" };
  return h(
    "div.ended",
    {},
    h("p", {}, icon("alert"), h("span", {}, h("strong", {}, what), " ", next)),
    h(
      "div.actions",
      {},
      action("again", "do.retry", () => again(g, true)),
      !FABRIC[g.kind] && action("text", "do.use", () => studio.fill({ prompt: g.prompt })),
      action("trash", "do.delete", () => remove(g)),
    ),
  );
}

/** @param {string} symbol @param {string} words @param {() => void} onclick @param {number} [n] */
const action = (symbol, words, onclick, n = 1) =>
  h("button.quiet.small", { onclick, data: { key: words } }, icon(symbol), h("span", {}, w(words, { n })));

/**
 * How far it is: the stages, the bar (the base stage is its first part), and the words beside it.
 * @param {HTMLElement} foot
 * @param {Generation} g
 */
function advance(foot, g) {
  const bar = foot.querySelector("progress");
  if (!bar || !unfinished(g)) return;
  const { stage, step, steps, seconds_left } = g.progress || {
    stage: g.status === "running" && FABRIC[g.kind] ? g.kind : "queued", // fabric tells no steps
    step: 0,
    steps: 1,
    seconds_left: 0,
  };
  /** @type {Record<string, number[]>} */
  const part = refines(g)
    ? { queued: [0, 0.04], base: [0.04, 0.5], refiner: [0.5, 1] }
    : { queued: [0, 0.04], base: [0.04, 1], refiner: [1, 1] };
  const [from, to] = part[stage] ?? part.base;
  bar.value = from + ((to - from) * step) / steps;
  const order = ["queued", "base", "refiner", g.kind]; // the last for fabric
  for (const item of foot.querySelectorAll("li")) {
    const place = order.indexOf(item.dataset.stage || "") - order.indexOf(stage);
    item.dataset.at = place < 0 ? "past" : place ? "later" : "now";
    if (place) item.removeAttribute("aria-current");
    else item.setAttribute("aria-current", "step");
  }
  const where = /** @type {HTMLElement} */ (foot.querySelector(".where"));
  if (g.progress) where.textContent = w("where.running", { step, steps, left: about(seconds_left) });
  else if (g.status === "running") where.textContent = w("where.starting");
  else where.textContent = g.position ? w("where.queued", { n: g.position }) : w("where.next");
}

/** @param {HTMLButtonElement} tile @param {Generation} g @param {number} i */
function show(tile, g, i) {
  const img = /** @type {HTMLImageElement} */ (tile.firstElementChild);
  const picture = g.images[i];
  const url = picture ? tileUrl(picture) : g.progress?.preview_urls[i] || (i ? null : g.progress?.preview_url);
  tile.dataset.state = picture ? "done" : url ? "preview" : unfinished(g) ? "waiting" : "none";
  tile.disabled = !picture;
  if (picture) tile.removeAttribute("aria-label");
  else tile.setAttribute("aria-label", w("alt.waiting", { i: i + 1, n: g.n }));
  if (picture) {
    img.alt = alt(picture, g.prompt, i, g.n);
    tile.onclick = () => (location.hash = `#/?look=${g.id}.${i}`);
  }
  if (!url || img.dataset.url === url) return;
  if (picture && img.hidden) {
    img.loading = "lazy"; // nothing stands here yet: it may wait until it is scrolled to
    return hang(img, (img.dataset.url = url));
  }
  swap(img, url, !!picture);
}

/**
 * Show another picture in a place once it is there, so that nothing blinks. A slow line gets fewer previews, not late ones.
 * @param {HTMLImageElement} img
 * @param {string} url
 * @param {boolean} [final]  it is shown whatever happens; a preview may be gone already, and the next one comes
 */
export function swap(img, url, final = false) {
  if (img.dataset.url === url || (!final && fetching.has(img))) return;
  img.dataset.url = url;
  const next = new Image();
  next.src = url;
  fetching.add(img);
  next
    .decode()
    .then(() => hang(img, url))
    .catch(() => final && hang(img, url))
    .finally(() => fetching.delete(img));
}

/** @param {HTMLImageElement} img @param {string} url  nothing where another one has come meanwhile */
function hang(img, url) {
  if (img.dataset.url !== url) return;
  img.src = url;
  img.hidden = false;
}

/** @param {string} id @param {Event} event */
async function stop(id, event) {
  const button = /** @type {HTMLButtonElement} */ (event.currentTarget);
  if (button.ariaDisabled === "true") return;
  button.ariaDisabled = "true"; // a disabled one would lose the keyboard
  try {
    put(await call("POST", `/generations/${id}/cancel`));
  } catch (error) {
    button.ariaDisabled = "false";
    complain(error);
  }
}

/**
 * What to say aloud when a generation changed; steps are not worth interrupting anyone.
 * @param {Generation} g
 * @param {Generation | null} before
 */
export function tell(g, before) {
  if (!before) return;
  const stage = (/** @type {Generation} */ x) => (x.status === "running" ? x.progress?.stage || "" : x.status);
  if (stage(g) === stage(before) || !stage(g)) return;
  if (g.status === "running") announce(w("tell.stage", { stage: w(`stage.${g.progress?.stage}`) }));
  else if (g.status === "succeeded") announce(w("tell.done", { n: g.images.length, prompt: g.prompt }));
  else if (g.status === "failed" && g.error) announce(Object.values(explain(g.error)).join(" "));
  else announce(w(`status.${g.status}`));
}
