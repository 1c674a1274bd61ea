/**
 * What stands beside the picture in the viewer: its prompt and facts, and everything that can be done with it.
 */
import { call } from "./api.js";
import { h, icon } from "./dom.js";
import { FABRIC, again, copyLink, copyPrompt, download, remove, show, studio, vary, written } from "./pictures.js";
import { ask, complain, toast } from "./say.js";
import { styleName } from "./styles.js";
import { ago, facts, w } from "./words.js";

const [low, high, step] = facts.limits.ranges.vary.strength.slider;

/**
 * @typedef {import("../types").Generation} Generation
 * @typedef {import("./dom.js").Child} Child
 * @typedef {import("../types").Picture} Picture
 * @typedef {{g: Generation, i: number, comparing: "" | "base" | "parent", parent: Picture | null, family: string, bare: boolean, double: boolean,
 *   open: boolean, strength: number, render: () => void, looking: (id: string) => boolean,
 *   goTo: (picture: Picture, parent?: Picture) => void, leave: (work: () => void, draw?: boolean) => void,
 *   without: (picture: Picture) => void}} View
 *   what is looked at and how; parent: what pictures of the generation `family` were made from, once known; goTo looks at
 *   another picture, beside its parent; leave closes, goes to the prompt (unless draw is false) and works there; without
 *   deletes one
 */

/** @param {View} view @returns {Child[]} */
export function panelOf(view) {
  const { g } = view;
  const picture = g.images[view.i];
  const act = (
    /** @type {string} */ name,
    /** @type {string} */ symbol,
    /** @type {() => void} */ onclick,
    kind = "quiet",
  ) => h(`button.${kind}`, { onclick, data: { key: name } }, icon(symbol), w(`do.${name}`));
  const leave = (/** @type {() => void} */ work) => () => view.leave(work);
  if (picture.kind === "upload")
    return [
      h("h2.prompt", {}, w("alt.upload")),
      h("p.facts", {}, `${picture.width}×${picture.height}`),
      keeping(view),
      editing(view),
      h("div.group", {}, act("start_photo", "from", leave(() => studio.fill({}, picture))), ...wearing(view)),
    ];
  return [
    h("h2.prompt", {}, g.prompt),
    h(
      "p.facts",
      {},
      [
        ago(g.created_at),
        w("fact.seed", { seed: picture.seed ?? g.seed }),
        `${picture.width}×${picture.height}`,
        w(g.mine ? `fact.${g.visibility}` : "fact.theirs"),
        g.hidden && w("fact.hidden"),
      ]
        .filter(Boolean)
        .join(" · "),
    ),
    keeping(view),
    !FABRIC[g.kind] && editing(view),
    h("div.group", {}, ...wearing(view)),
    h(
      "div.group",
      {},
      !FABRIC[g.kind] && act(
        "use",
        "text",
        leave(() => studio.fill({ prompt: written(g) })),
      ),
      act(
        "same",
        "again",
        leave(() => again({ ...g, n: 1, seed: picture.seed ?? g.seed }, true)),
      ),
      !FABRIC[g.kind] && act(
        "from",
        "from",
        leave(() => studio.fill({ prompt: written(g) }, picture)),
      ),
    ),
    !FABRIC[g.kind] && varying(view),
    picture.base_url &&
      h(
        "button.quiet",
        {
          "aria-pressed": String(view.comparing === "base"),
          data: { key: "compare" },
          onclick: () => ((view.comparing = view.comparing === "base" ? "" : "base"), view.render()),
        },
        icon("compare"),
        w("look.compare"),
      ),
    downloads(view),
    h(
      "div.group",
      {},
      act("prompt", "copy", () => copyPrompt(g.prompt)),
      act("link", "link", () => copyLink(g, picture)),
    ),
    h(
      "details.facts-more",
      { open: view.open, ontoggle: (/** @type {any} */ e) => (view.open = e.target.open) },
      h("summary", {}, w("look.facts")),
      h(
        "dl",
        {},
        factsOf(g).flatMap(([k, v]) => [h("dt", {}, k), h("dd", {}, v)]),
      ),
    ),
    h("div.group.last", {}, g.mine ? owning(view) : act("report", "flag", () => report(g))),
  ];
}

/** @type {typeof import("./edit.js") | null} */
let edit = null;
/** @type {typeof import("./keeping.js") | null} */
let keep = null;

/** @param {View} view  its heart, its closet, what is done with it alone: fetched in the same way */
function keeping(view) {
  if (keep) return keep.keepingOf(view);
  import("./keeping.js").then((module) => ((keep = module), view.render()), () => {});
  return h("div.group.keeping");
}

/** @param {View} view  the editor, fetched when a picture is first looked at */
function editing(view) {
  if (edit) return edit.editorOf(view);
  import("./edit.js").then((module) => ((edit = module), view.render()), () => {});
  return h("div.study");
}

/** @param {View} view  the picture as a pattern, and as what one is put on */
function wearing(view) {
  const { id, kind } = view.g.images[view.i];
  const go = (/** @type {string} */ name, /** @type {string} */ rest) =>
    h("button.quiet", { data: { key: name }, onclick: () => view.leave(() => (location.hash = `#/fabric/${rest}`), false) }, icon("fabric"), w(`do.${name}`));
  return [view.g.kind !== "apply" && kind !== "upload" && go("wear", id), view.g.kind !== "pattern" && go("dress", `on-${id}`)];
}

/**
 * Publishing is for all pictures of a drawing, and says so; deleting is for the one that is looked at.
 * @param {View} view
 */
function owning(view) {
  const { g } = view;
  const n = g.images.length;
  const key = g.visibility === "public" ? "hide" : "publish";
  const turn = async () => {
    const changed = await show(g, key === "hide" ? "private" : "public");
    if (changed) ((view.g = changed), view.render());
  };
  const one = () => view.without(g.images[view.i]);
  return [
    h(
      "button.quiet",
      { data: { key }, onclick: turn },
      icon(key === "hide" ? "lock" : "world"),
      n > 1 ? w(`do.${key}_all`, { n }) : w(`do.${key}`),
    ),
    h(
      "button.quiet.warn",
      { data: { key: "delete" }, onclick: n > 1 ? one : () => view.leave(() => remove(g), false) },
      icon("trash"),
      n > 1 ? w("do.delete_one") : w("do.delete"),
    ),
  ];
}

/** @param {View} view */
function varying(view) {
  const { g } = view;
  return h(
    "div.vary",
    {},
    h(
      "button.primary",
      {
        data: { key: "vary" },
        onclick: () => view.leave(() => vary(g.images[view.i], g, view.strength)),
      },
      icon("vary"),
      w("do.vary"),
    ),
    h(
      "label",
      {},
      h("span.sr", {}, w("source.strength")),
      h("input", {
        type: "range",
        min: low,
        max: high,
        step,
        value: view.strength,
        data: { key: "strength" },
        oninput: (/** @type {any} */ e) => (view.strength = Number(e.target.value)),
      }),
      h("span.ends", { "aria-hidden": "true" }, h("span", {}, w("source.little")), h("span", {}, w("source.much"))),
    ),
  );
}

/** @param {View} view */
function downloads(view) {
  const picture = view.g.images[view.i];
  return h(
    "div.downloads",
    { role: "group", "aria-label": w("do.download") },
    h("span", {}, icon("down"), w("do.download")),
    ["png", "jpeg", "webp"].map((format) =>
      h(
        "a.button.quiet.small",
        { href: download(format, picture, view), download: "", data: { key: format } },
        format === "jpeg" ? "JPG" : format.toUpperCase(),
      ),
    ),
    /** @type {const} */ (["double", "bare"]).map((name) =>
      h(
        "label.bare",
        {},
        h("input", {
          type: "checkbox",
          checked: view[name],
          data: { key: name },
          onchange: (/** @type {any} */ e) => ((view[name] = e.target.checked), view.render()),
        }),
        w(`look.${name}`, { size: `${picture.width * 2}×${picture.height * 2}` }),
      ),
    ),
  );
}

/** @param {Generation} g @returns {[string, string][]} */
function factsOf(g) {
  const seconds = (/** @type {string} */ key) =>
    g.timings?.[key] === undefined ? "" : w("time.exact", { n: g.timings[key].toFixed(1) });
  /** @type {[string, string | number | null | false][]} */
  const all = [
    [w("look.negative"), g.negative_prompt],
    [w("look.style"), [g.style && styleName(g.style), ...(g.styles ?? []).map((s) => `${s.name} ${s.weight}`)].filter(Boolean).join(", ")],
    [w("look.steps"), g.steps ?? w("more.auto")],
    [w("look.guidance"), g.guidance_scale ?? w("more.auto")],
    [w("source.strength"), g.source_image && g.strength],
    [w("stage.base"), seconds("base")],
    [w("stage.refiner"), (g.refine ?? facts.refines) ? seconds("refiner") : facts.refines && w("more.unrefined")],
  ];
  return all.filter(([, value]) => value || value === 0).map(([name, value]) => [name, String(value)]);
}

/** @param {Generation} g */
async function report(g) {
  const reason = await ask({
    title: w("report.title"),
    text: w("report.text"),
    yes: w("report.send"),
    input: w("report.reason"),
  });
  if (reason === null) return;
  try {
    await call("POST", `/generations/${g.id}/report`, { body: { reason: reason.trim() || "-" } });
    toast(w("done.reported"));
  } catch (error) {
    complain(error);
  }
}
