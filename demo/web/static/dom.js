/**
 * Build elements without a framework: text is always text (never HTML), so a prompt cannot become markup.
 */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Make one element.
 * @template {string} Tag
 * @param {Tag} tag  "button.quiet.small": tag and classes
 * @param {Record<string, any>} [props]  on… adds a listener, other names set a property or an attribute
 * @param {...(Child | Child[])} children
 * @returns {import("../types").Made<Tag>}
 */
export function h(tag, props = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = /** @type {any} */ (document.createElement(name));
  if (classes.length) element.className = classes.join(" ");
  if (name === "button") element.setAttribute("type", "button");
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key === "vars") for (const [v, x] of Object.entries(value)) element.style.setProperty(v, String(x));
    else if (key in element && !key.includes("-") && key !== "list" && key !== "form") element[key] = value;
    else if (value !== false) element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(
    ...children
      .flat()
      .filter((c) => c || c === 0)
      .map((c) => (c instanceof Node ? c : String(c))),
  );
  return element;
}

/**
 * An icon of the sprite in the page (templates/icons.svg).
 * @param {string} name
 * @returns {SVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/**
 * @param {string} selector
 * @param {ParentNode} [root]
 * @returns {any} the one element that the template promises
 */
export function one(selector, root = document) {
  const found = root.querySelector(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}

/**
 * Call `work` once things have been still for `ms`; the newest arguments win.
 * @template {any[]} A
 * @param {(...args: A) => void} work
 * @param {number} ms
 * @returns {(...args: A) => void}
 */
export function settled(work, ms) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => work(...args), ms);
  };
}

/**
 * One stop of the Tab key for many things: arrows, Home and End walk along them, Tab goes on.
 * @param {HTMLElement} parent
 * @param {string} selector  the things: buttons or links, or what holds some of them
 * @param {(key: string) => boolean} [leave]  called first with the key; true: it was meant otherwise
 * @returns {() => void} to be called when the things have changed
 */
export function walk(parent, selector, leave = () => false) {
  const things = () => /** @type {HTMLElement[]} */ ([...parent.querySelectorAll(selector)]);
  const stops = (/** @type {HTMLElement} */ thing) =>
    thing.matches("a, button") ? [thing] : /** @type {HTMLElement[]} */ ([...thing.querySelectorAll("a, button")]);
  const current = () => things().findIndex((thing) => thing.contains(document.activeElement));
  const mark = () => {
    const at = Math.max(0, current());
    things().forEach((thing, i) => stops(thing).forEach((stop) => (stop.tabIndex = i === at ? 0 : -1)));
  };
  parent.addEventListener("focusin", mark);
  parent.addEventListener("keydown", (event) => {
    const [all, at] = [things(), current()];
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    /** @type {Record<string, number>} */
    const ways = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 };
    if (leave(event.key)) return event.preventDefault();
    const to = ways[event.key];
    if (to === undefined) return;
    event.preventDefault();
    stops(all[Math.min(Math.max(0, to), all.length - 1)])[0]?.focus();
  });
  return mark;
}

/**
 * Replace children and keep the keyboard where it was: the new element with the same data-key takes the focus.
 * @param {Element} parent
 * @param {Child[]} children
 */
export function fill(parent, children) {
  const active = document.activeElement;
  const key = active instanceof HTMLElement && parent.contains(active) ? active.dataset.key : undefined;
  parent.replaceChildren(...children.filter((c) => c || c === 0).map((c) => (c instanceof Node ? c : String(c))));
  if (key) {
    const again = parent.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (again instanceof HTMLElement) again.focus({ preventScroll: true });
  }
}
