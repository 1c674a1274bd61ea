/**
 * Several pictures of a shelf, chosen by their boxes, with Shift for a row of them, or by a long press; and what can be done
 * with all of them at once. Loaded when somebody first chooses.
 */
import { call } from "./api.js";
import { fill, h, icon } from "./dom.js";
import { away, vanish } from "./pictures.js";
import { announce, complain, toast } from "./say.js";
import { find, leaving, put, refresh, share } from "./store.js";
import { stow } from "./stow.js";
import { number, w } from "./words.js";

/**
 * @typedef {import("../types").Item} Item
 * @typedef {ReturnType<typeof picking>} Picking
 */

const MOST = 500; // in one request

/**
 * @param {{place: string, which: () => Record<string, string>, shown: () => Item[], end: () => void, redraw: () => void, reload: () => void}} shelf
 */
export function picking({ place, which, shown, end, redraw, reload }) {
  /** @type {Map<string, Item>} */
  const chosen = new Map();
  let anchor = "";
  const text = h("p", { role: "status" });
  const acts = h("div.group");
  const bar = h("div.pick-bar", { role: "region", "aria-label": w("pick.bar") }, text, acts);
  document.body.append(bar);
  document.body.dataset.picking = "yes";
  addEventListener("keydown", onkey);

  /** @param {KeyboardEvent} event */
  function onkey(event) {
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) end();
  }

  /** @param {Item} item @param {boolean} on @param {boolean} row  all from the last one chosen to this one */
  function choose(item, on, row) {
    const all = shown();
    const [from, to] = [all.findIndex((i) => i.id === anchor), all.findIndex((i) => i.id === item.id)];
    const these = row && from >= 0 ? all.slice(Math.min(from, to), Math.max(from, to) + 1) : [item];
    for (const one of these) {
      if (!on) chosen.delete(one.id);
      else if (chosen.size < MOST) chosen.set(one.id, one);
    }
    if (on && chosen.size === MOST) toast(w("pick.most", { n: MOST }));
    anchor = item.id;
    tell();
  }

  function tell() {
    for (const id of chosen.keys()) if (leaving.has(id)) chosen.delete(id);
    const all = [...chosen.values()];
    const own = all.length > 0 && all.every((item) => item.mine);
    const drawn = own && all.every((item) => item.kind === "generation");
    const inside = which().place === "closet";
    text.textContent = all.length ? w("pick.count", { n: number(all.length) }) : w("pick.none");
    const act = (/** @type {string} */ key, /** @type {string} */ symbol, /** @type {() => void} */ onclick, /** @type {boolean} */ can, kind = "quiet") =>
      can && h(`button.${kind}.small`, { onclick, data: { key } }, icon(symbol), w(`pick.${key}`));
    fill(acts, [
      act("all", "check", () => (shown().slice(0, MOST).forEach((item) => chosen.set(item.id, item)), redraw()), all.length < Math.min(MOST, shown().length)),
      act("stow", "closet", put_in, all.length > 0),
      act("move", "from", move, all.length > 0 && inside),
      act("cover", "picture", cover, all.length === 1 && inside),
      act("take_out", "close", takeOut, all.length > 0 && inside),
      act("compare", "compare", compareTwo, all.length === 2),
      act("zip", "down", zip, all.length > 0),
      act("publish", "world", () => show("public"), drawn && all.some((item) => item.visibility === "private")),
      act("hide", "lock", () => show("private"), drawn && all.some((item) => item.visibility === "public")),
      act("delete", "trash", remove, own, "quiet.warn"),
      act("end", "close", end, true, "primary"),
    ]);
  }

  const ids = () => [...chosen.keys()];

  /** @param {() => Promise<string>} work  gives what to say */
  async function doing(work) {
    try {
      toast(await work());
    } catch (error) {
      complain(error);
    }
  }

  async function put_in() {
    if (await stow(ids())) end();
  }

  async function move() {
    if (!(await stow(ids(), which().collection))) return;
    end();
    reload();
  }

  async function compareTwo() {
    const [left, right] = chosen.values();
    (await import("./compare.js")).compare([left, right]);
  }

  const cover = () =>
    doing(async () => {
      await call("PATCH", `/closet/${which().collection}`, { body: { cover: ids()[0] } });
      end();
      return w("done.cover");
    });

  const takeOut = () =>
    doing(async () => {
      const { removed } = await call("POST", `/closet/${which().collection}/remove`, { body: { images: ids() } });
      end();
      reload();
      return w("done.taken_out", { n: number(removed) });
    });

  const zip = () =>
    doing(async () => {
      const blob = await call("POST", "/images/zip", { body: { images: ids() }, blob: true });
      const link = h("a", { href: URL.createObjectURL(blob), download: `${w("app.name")}.zip` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      return w("done.zip", { n: number(chosen.size) });
    });

  /** @param {"public" | "private"} visibility */
  const show = (visibility) =>
    doing(async () => {
      const { changed } = await call("POST", "/images/visibility", { body: { images: ids(), visibility } });
      for (const item of chosen.values()) item.visibility = visibility;
      const sets = new Set([...chosen.values()].map((item) => item.generation_id ?? ""));
      for (const id of sets) (share(id), find(id) && refresh(id, true).catch(() => {}));
      redraw();
      return w(`done.${visibility}_many`, { n: number(changed) });
    });

  function remove() {
    const gone = ids();
    const known = [...new Set([...chosen.values()].map((item) => item.generation_id ?? ""))].map(find);
    const put_back = () => known.forEach((generation) => generation && put(generation));
    gone.forEach((id) => leaving.add(id));
    put_back();
    end();
    vanish({
      message: w("done.deleted", { n: number(gone.length) }),
      work: away(gone.map((id) => ({ id }))),
      restore() {
        gone.forEach((id) => leaving.delete(id));
        put_back();
      },
    });
  }

  tell();
  return {
    choose,
    tell,
    has: (/** @type {string} */ id) => chosen.has(id),
    /** @param {HTMLElement} list  the boxes as they are now */
    mark(list) {
      for (const li of list.querySelectorAll("li")) {
        const on = chosen.has(li.dataset.id ?? "");
        li.classList.toggle("picked", on);
        const box = li.querySelector("input");
        if (box) box.checked = on;
      }
    },
    close() {
      bar.remove();
      delete document.body.dataset.picking;
      removeEventListener("keydown", onkey);
      if (place) announce(w("pick.ended"));
    },
  };
}
