/**
 * The heart of a picture: pressed once it is liked, pressed again no longer.
 */
import { call } from "./api.js";
import { h, icon } from "./dom.js";
import { complain } from "./say.js";
import { number, w } from "./words.js";

/**
 * @param {{id: string, liked: boolean, likes: number}} picture  told of every change
 * @param {string} prompt
 * @param {string} [tag]
 * @returns {HTMLButtonElement}
 */
export function heart(picture, prompt, tag = "button.heart") {
  const button = /** @type {HTMLButtonElement} */ (h(tag, { onclick: toggle, data: { key: `heart-${picture.id}` } }));
  render();
  return button;

  function render() {
    button.setAttribute("aria-pressed", String(picture.liked));
    button.setAttribute("aria-label", `${w("like.one")}: ${prompt || w("alt.upload")}`);
    button.title = picture.liked ? w("like.undo") : w("like.one");
    button.replaceChildren(icon("heart"), picture.likes ? number(picture.likes) : "");
  }

  async function toggle() {
    const before = { liked: picture.liked, likes: picture.likes };
    Object.assign(picture, { liked: !before.liked, likes: before.likes + (before.liked ? -1 : 1) });
    render();
    try {
      Object.assign(picture, await call(picture.liked ? "PUT" : "DELETE", `/images/${picture.id}/like`));
    } catch (error) {
      Object.assign(picture, before);
      complain(error);
    }
    render();
  }
}
