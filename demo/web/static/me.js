/**
 * One's own things: what is kept and for how long, moving to another browser, taking everything along, forgetting everything; how the page looks.
 */
import { Problem, call, connection, get } from "./api.js";
import { h, one } from "./dom.js";
import * as photos from "./photos.js";
import { ask, complain, copy, toast } from "./say.js";
import { number, facts, w } from "./words.js";

const COOKIE_DAYS = 400;

/** @param {() => void} forgot  called when nothing here is this person's any more, or more is */
export function begin(forgot) {
  one("#language").addEventListener("click", () => {
    remember("lang", one("#language").lang);
    location.reload();
  });
  for (const input of document.querySelectorAll("input[name=theme]")) {
    input.addEventListener("change", (event) => {
      const { value } = /** @type {HTMLInputElement} */ (event.target);
      remember("theme", value);
      if (value) document.documentElement.dataset.theme = value;
      else delete document.documentElement.dataset.theme;
    });
  }
  const days = facts.retention_days;
  one("#kept-days").textContent = days ? w("kept.days", { n: number(days) }) : w("kept.forever");
  one("#code-make").addEventListener("click", makeCode);
  one("#claim").addEventListener("submit", (/** @type {Event} */ event) => (event.preventDefault(), claim(forgot)));
  one("#forget").addEventListener("click", () => forget(forgot));
  notice();
}

/** The notice stands there before the first use; once it was read the line at the foot of the page stays. */
function notice() {
  one("#notice-ok").addEventListener("click", () => {
    remember("notice", "read");
    one("#notice").hidden = true;
    one("#prompt").focus();
  });
}

/** Show how much there is, each time the place is opened. */
export async function open() {
  photos.open();
  if (facts.trash_days) import("./trash.js").then((trash) => trash.open(), () => {});
  try {
    const { generations, images, bytes } = await get("/me");
    one("#me-figures").textContent = w("kept.now", {
      generations: number(generations),
      images: number(images),
      size: number(Math.round((bytes / 1e6) * 10) / 10),
    });
  } catch (error) {
    if (error instanceof Problem && error.code === "offline") connection.back().then(open);
    else complain(error);
  }
}

async function makeCode() {
  try {
    const { code, expires_at } = await call("POST", "/me/code");
    const hours = (new Date(expires_at).getTime() - Date.now()) / 3.6e6;
    const [unit, n] = hours < 2 ? ["minutes", hours * 60] : hours < 48 ? ["hours", hours] : ["days", hours / 24];
    one("#code").replaceChildren(
      h("output", {}, code),
      h("button.quiet.small", { onclick: () => copy(code, w("done.code")) }, w("do.copy")),
      h("p", {}, w(`code.${unit}`, { n: Math.max(1, Math.round(n)) })),
    );
  } catch (error) {
    complain(error);
  }
}

/** @param {() => void} changed */
async function claim(changed) {
  const field = one("#claim input");
  const code = field.value.trim().toUpperCase();
  if (!code) return field.focus();
  try {
    const { generations } = await call("POST", "/me/claim", { body: { code } });
    if (facts.access === "token") return location.reload(); // the door is open now
    field.value = "";
    toast(w("done.claimed", { n: number(generations) }));
    changed();
    open();
  } catch (error) {
    const unknown = error instanceof Problem && error.status === 404;
    complain(unknown ? new Problem("code_unknown", "") : error);
  }
}

/** @param {() => void} changed */
async function forget(changed) {
  if (!(await ask({ title: w("forget.title"), text: w("forget.text"), yes: w("forget.yes"), danger: true }))) return;
  try {
    const receipt = await call("DELETE", "/me");
    sessionStorage.clear();
    changed();
    open();
    witness(receipt);
  } catch (error) {
    complain(error);
  }
}

/** @param {{receipt: string, complete: boolean, generations: number, images: number}} receipt  followed until nothing is left */
async function witness(receipt) {
  const line = one("#forgotten");
  const facts = {
    generations: number(receipt.generations),
    images: number(receipt.images),
    receipt: receipt.receipt.slice(0, 8),
  };
  line.textContent = w(receipt.complete ? "forget.done" : "forget.going", facts);
  if (receipt.complete) return;
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const now = await get(`/receipts/${receipt.receipt}`).catch(() => null);
  if (now) witness({ ...receipt, complete: now.complete });
}

/** @param {string} name @param {string} value  a choice about the page, kept in this browser */
function remember(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=${value ? COOKIE_DAYS * 86400 : 0}; samesite=lax`;
}
