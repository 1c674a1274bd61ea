/**
 * The closet: what one likes, and collections with names, covers and an order; one of them open as a shelf.
 */
import { Problem, call, connection, get } from "./api.js";
import { fill, h, icon, one } from "./dom.js";
import { ask, complain, toast } from "./say.js";
import { shelf } from "./shelf.js";
import { number, w } from "./words.js";

/** @typedef {import("../types").Collection} Collection */

let openId = "";
/** @type {Collection[]} */
let collections = [];
let liked = 0;

/** @returns {Record<string, string>} */
const which = () => (openId === "liked" ? { place: "liked" } : { place: "closet", collection: openId });
const pictures = shelf("closet", which);

export const { redraw, order, picking, end } = pictures;

/** @param {string} id  of a collection, "liked", or "" for the closet itself */
export async function open(id) {
  const other = id !== openId;
  openId = id;
  if (other && picking()) end();
  one("#closet-room").hidden = !id;
  one("#closet-shelves").hidden = Boolean(id);
  if (id) pictures.enter(other);
  render();
  try {
    const closet = await get("/closet");
    ({ collections, liked } = closet);
    render();
  } catch (error) {
    if (error instanceof Problem && error.code === "offline") connection.back().then(() => open(openId));
    else complain(error);
  }
}

function render() {
  const here = collections.find((c) => c.id === openId);
  one("#closet-title").textContent = openId === "liked" ? w("closet.liked") : (here?.name ?? w("closet.title"));
  fill(one("#closet-acts"), openId ? [back(), ...(here ? owning(here) : [])] : [making()]);
  if (!openId) fill(one("#closet-shelves"), [card({ id: "liked", name: w("closet.liked"), count: liked, cover: null }), ...collections.map(card)]);
}

const back = () => h("a.button.quiet.small", { href: "#/closet", data: { key: "back" } }, icon("prev"), w("closet.title"));

const making = () => h("button.primary", { onclick: make, data: { key: "make" } }, icon("closet"), w("closet.make"));

/** @param {{id: string, name: string, count: number, cover: import("../types").Picture | null}} shelf */
const card = ({ id, name, count, cover }) =>
  h(
    "li",
    {},
    h(
      "a.piece",
      { href: `#/closet/${id}`, data: { key: `shelf-${id}` } },
      h("span.frame", {}, cover ? h("img", { src: cover.thumbnail_url, alt: "", loading: "lazy", width: 256, height: 256 }) : h("span.blank", {}, icon(id === "liked" ? "heart" : "closet"))),
      h("span.title", {}, name, h("small", {}, w("closet.count", { n: number(count) }))),
    ),
  );

/** @param {Collection} here */
function owning(here) {
  const at = collections.indexOf(here);
  const act = (/** @type {string} */ key, /** @type {string} */ symbol, /** @type {() => void} */ onclick, disabled = false) =>
    h("button.tool", { onclick, disabled, title: w(`closet.${key}`), "aria-label": w(`closet.${key}`), data: { key } }, icon(symbol));
  return [
    act("rename", "draw", () => rename(here)),
    act("earlier", "prev", () => change(here, { place: at - 1 }), at === 0),
    act("later", "next", () => change(here, { place: at + 1 }), at === collections.length - 1),
    act("drop", "trash", () => drop(here)),
  ];
}

async function make() {
  const name = await named(w("closet.new_name"), w("closet.make"), "");
  if (!name) return;
  try {
    const made = await call("POST", "/closet", { body: { name } });
    location.hash = `#/closet/${made.id}`;
  } catch (error) {
    complain(error);
  }
}

/** @param {Collection} here */
async function rename(here) {
  const name = await named(w("closet.rename"), w("closet.rename_yes"), here.name);
  if (name && name !== here.name) change(here, { name });
}

/** @param {string} title @param {string} yes @param {string} before @returns {Promise<string>} "" when they thought better of it */
async function named(title, yes, before) {
  const answer = ask({ title, text: "", yes, input: w("closet.name_label") });
  const field = /** @type {HTMLTextAreaElement} */ (one("#ask textarea"));
  Object.assign(field, { value: before, rows: 1, maxLength: 60 });
  field.focus();
  field.select();
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    one("#ask [value=yes]").click();
  });
  return ((await answer) ?? "").normalize("NFC").replace(/\s+/g, " ").trim();
}

/** @param {Collection} here @param {{name?: string, place?: number}} body */
async function change(here, body) {
  try {
    await call("PATCH", `/closet/${here.id}`, { body });
    await open(openId);
  } catch (error) {
    complain(error);
  }
}

/** @param {Collection} here */
async function drop(here) {
  const text = w("closet.drop_text", { n: number(here.count) });
  if (!(await ask({ title: w("closet.drop_title", { name: here.name }), text, yes: w("closet.drop"), danger: true }))) return;
  try {
    await call("DELETE", `/closet/${here.id}`);
    toast(w("done.dropped", { name: here.name }));
    location.hash = "#/closet";
  } catch (error) {
    complain(error);
  }
}
