/**
 * What is done with the one picture that the viewer shows: like it, put it into the closet, publish or keep it alone out of
 * its set, say something of it. Loaded with the first picture that is looked at.
 */
import { call, get } from "./api.js";
import { fill, h, icon } from "./dom.js";
import { heart } from "./hearts.js";
import { removeMany } from "./pictures.js";
import { complain, toast } from "./say.js";
import { refresh, share as tellTabs, staying } from "./store.js";
import { stow } from "./stow.js";
import { w } from "./words.js";

/**
 * @typedef {import("./panel.js").View} View
 * @typedef {import("../types").ImageInfo} ImageInfo
 */

/** @type {{id: string, element: HTMLElement, render: () => void} | null} of the picture that is looked at */
let current = null;

/** @param {View} view @returns {HTMLElement} the same element as long as that picture is looked at */
export function keepingOf(view) {
  const id = view.g.images[view.i].id;
  if (current?.id !== id) current = keeping(view, id);
  else current.render();
  return current.element;
}

/** @param {View} view @param {string} id */
function keeping(view, id) {
  const element = h("div.group.keeping");
  /** @type {ImageInfo | null} */
  let info = null;
  const picture = () => view.g?.images.find((one) => one.id === id); // none once the viewer is closed
  const act = (/** @type {string} */ key, /** @type {string} */ symbol, /** @type {() => void} */ onclick) =>
    h("button.quiet", { onclick, data: { key } }, icon(symbol), w(`do.${key}`));

  async function load() {
    try {
      info = await get(`/images/${id}/info`);
      render();
    } catch (error) {
      complain(error);
    }
  }

  function render() {
    const here = picture();
    if (!info || !here) return;
    const several = view.g.mine && here.kind !== "upload" && view.g.images.length > 1;
    const shown = view.g.visibility === "public" && !here.withheld;
    fill(element, [
      heart(info, view.g.prompt, "button.quiet.heart-wide"),
      h(
        "button.quiet",
        { onclick: put, "aria-pressed": String(info.collections.length > 0), data: { key: "stow" } },
        icon("closet"),
        info.collections.length ? w("do.stowed", { n: info.collections.length }) : w("do.stow"),
      ),
      view.g.mine && here.kind !== "upload" && act("post", "world", post),
      several && act(shown ? "hide_one" : "publish_one", shown ? "lock" : "world", () => show(shown ? "private" : "public")),
      several && act("keep_one", "check", () => removeMany(view.g, view.g.images.filter((one) => one.id !== id))),
      shown && act("share", "link", () => share()),
      act("copy_picture", "copy", copyPicture),
      document.fullscreenEnabled && act("full", "full", () => document.querySelector("#viewer .picture")?.requestFullscreen()),
    ]);
  }

  async function put() {
    if (await stow([id])) load();
  }

  /** @param {"public" | "private"} visibility */
  async function show(visibility) {
    try {
      await call("POST", "/images/visibility", { body: { images: [id], visibility } });
      toast(w(`done.${visibility}`), { ms: 4000 });
      await changed();
    } catch (error) {
      complain(error);
    }
  }

  async function changed() {
    tellTabs(view.g.id);
    const now = await refresh(view.g.id, true);
    if (now) view.g = staying(now);
    view.render();
  }

  async function post() {
    const { writePost } = await import("./post.js");
    if (await writePost(/** @type {any} */ (picture()), view.g)) await changed();
  }

  /** Browsers take PNG alone; Safari wants the promise of it at once. */
  async function copyPicture() {
    const here = /** @type {import("../types").Picture} */ (picture());
    const png = fetch(`${here.url}?format=png`).then((answer) => answer.blob());
    try {
      await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
      toast(w("done.copied_picture"), { ms: 3000 });
    } catch {
      toast(w("done.no_clipboard"), { kind: "wrong" });
    }
  }

  async function share() {
    const { sharePost } = await import("./post.js");
    await sharePost(id, view.g.prompt);
  }

  load();
  return { id, element, render };
}
