/**
 * A public picture as a post: its caption, its author's name or none, its page; shared by the system or copied.
 */
import { Problem, call, get } from "./api.js";
import { h, one } from "./dom.js";
import { alt } from "./pictures.js";
import { complain, copy, open, toast } from "./say.js";
import { share as tellTabs } from "./store.js";
import { w } from "./words.js";

/** @typedef {import("../types").Picture} Picture */

const AUTHOR = "author"; // kept in this browser alone, to be offered the next time

/** @param {string} id @returns {string} the address of a public picture's page */
export const pageOf = (id) => `${location.origin}/p/${id}`;

/** @param {string} id @param {string} prompt  given to the system's share sheet, or copied where there is none */
export async function sharePost(id, prompt) {
  const url = pageOf(id);
  if (!navigator.share) return copy(url, w("done.link_public"));
  try {
    await navigator.share({ title: w("app.name"), text: prompt, url });
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "AbortError")) await copy(url, w("done.link_public"));
  }
}

/**
 * Ask what to say of a picture, and publish it.
 * @param {Picture} picture
 * @param {import("../types").Generation} g
 * @returns {Promise<boolean>} whether anything changed
 */
export async function writePost(picture, g) {
  const shown = g.visibility === "public" && !picture.withheld;
  const known = shown ? await get(`/images/${picture.id}/post`).catch(() => null) : null;
  const caption = h("textarea", { name: "caption", rows: 2, maxLength: 300, value: known?.caption ?? "", placeholder: w("post.caption_example") });
  const author = h("input", { name: "author", maxLength: 40, autocomplete: "nickname", value: known ? known.author : (localStorage.getItem(AUTHOR) ?? ""), placeholder: w("post.author_none") });
  const wrong = h("p.wrong", { role: "alert" });
  const dialog = /** @type {HTMLDialogElement} */ (one("#ask"));
  let done = false;
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      await call("PUT", `/images/${picture.id}/post`, { body: { caption: caption.value, author: author.value.trim() } });
      localStorage.setItem(AUTHOR, author.value.trim());
      done = true;
      dialog.close();
      toast(w("done.posted"), { action: w("do.share"), onaction: () => sharePost(picture.id, caption.value || g.prompt) });
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "publishing_rejected") return complain(error);
      wrong.textContent = error.message;
      (error.field === "author" ? author : caption).focus();
    }
  };
  const takeBack = async () => {
    try {
      await call("DELETE", `/images/${picture.id}/post`);
      done = true;
      dialog.close();
      toast(w("done.private"));
    } catch (error) {
      complain(error);
    }
  };
  dialog.replaceChildren(
    h(
      "form",
      { onsubmit: send },
      h("h2", { id: "ask-title" }, known ? w("post.title_again") : w("post.title")),
      h("img.post-picture", { src: picture.thumbnail_url, alt: alt(picture, g.prompt), width: 96, height: 96 }),
      h("p.soft", {}, w("post.what")),
      h("label.field", {}, h("span", {}, w("post.caption")), caption),
      h("label.field", {}, h("span", {}, w("post.author")), author),
      wrong,
      h(
        "div.actions",
        {},
        known && h("button.danger", { onclick: takeBack, data: { key: "take-back" } }, w("post.take_back")),
        h("button.quiet", { onclick: () => dialog.close() }, w("say.no")),
        h("button.primary", { type: "submit" }, known ? w("post.change") : w("post.send")),
      ),
    ),
  );
  open(dialog);
  caption.focus();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  if (done) tellTabs(g.id);
  return done;
}
