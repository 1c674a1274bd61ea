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
