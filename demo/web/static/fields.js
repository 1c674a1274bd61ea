/**
 * Name, colour and style in place of a sentence: what is drawn from, or what a picture is changed to. A field that is
 * missing is told by name.
 */
import { Problem, call, explain } from "./api.js";
import { h, one } from "./dom.js";
import { announce, complain } from "./say.js";
import { put, share } from "./store.js";
import { facts, w } from "./words.js";

const NAMES = ["title", "color", "style"];
const PICTURES = 6; // of a form, as the API has it
const DRAFT = "fields";
/** @type {Record<string, string>} */
const KINDS = { title: "garment", color: "color" }; // whose words are offered while typing

/**
 * @param {{values: Record<string, string>, label: string, needed: string[], submit: (given: Record<string, string>) => Promise<unknown>,
 *   changed?: (given: Record<string, string>) => void}} how  submit gives back what was refused
 * @returns {HTMLFormElement}
 */
export function fieldsForm({ values, label, needed, submit, changed }) {
  const given = () => Object.fromEntries(NAMES.map((name) => [name, field(name).value.normalize("NFC").trim()]));
  const field = (/** @type {string} */ name) => /** @type {HTMLInputElement} */ (one(`[name=${name}]`, form));
  /** @param {string} name  say that it is missing, beside it */
  function missing(name) {
    const [input, note] = [field(name), one(`[data-note=${name}]`, form)];
    note.textContent = w(`fields.missing_${name}`);
    input.setAttribute("aria-invalid", "true");
    input.focus();
    announce(note.textContent ?? "");
  }
  async function send() {
    const empty = needed.find((name) => !given()[name]);
    if (empty) return missing(empty);
    const refused = await submit(given());
    if (refused instanceof Problem && NAMES.includes(refused.field) && !given()[refused.field]) missing(refused.field);
  }
  const id = `f${Math.random().toString(36).slice(2, 8)}`;
  const form = h(
    "form.fields",
    { novalidate: true, onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), send()) },
    NAMES.map((name) =>
      h(
        "label.field",
        {},
        h("span", {}, w(`fields.${name}`), needed.includes(name) || name !== "style" ? "" : ` ${w("fields.optional")}`),
        h("input", {
          name,
          value: values[name] ?? "",
          maxLength: 200,
          autocomplete: "off",
          placeholder: w(`fields.${name}_example`),
          list: KINDS[name] && `${id}-${name}`,
          "aria-required": String(needed.includes(name)),
          "aria-describedby": `${id}-${name}-note`,
          data: { key: `field-${name}` },
          oninput: (/** @type {any} */ event) => {
            event.target.removeAttribute("aria-invalid");
            one(`[data-note=${name}]`, form).textContent = "";
            changed?.(given());
          },
        }),
        KINDS[name] &&
          h("datalist", { id: `${id}-${name}` }, (facts.chips.find((kind) => kind.kind === KINDS[name])?.words ?? []).map((value) => h("option", { value }))),
        h("span.wrong", { id: `${id}-${name}-note`, data: { note: name } }),
      ),
    ),
    h("button.primary", { type: "submit", data: { key: "fields-send" } }, label),
  );
  return /** @type {HTMLFormElement} */ (form);
}

/**
 * The form in the place of the prompt; it keeps what was typed as long as the tab lives.
 * @param {(generation: import("../types").Generation) => void} drawn
 */
export function composeByFields(drawn) {
  const place = one("#fields");
  if (place.firstChild) return;
  const wrong = h("p.wrong", { role: "alert" });
  place.append(
    fieldsForm({
      values: JSON.parse(sessionStorage.getItem(DRAFT) || "{}"),
      label: w("fields.draw", { n: PICTURES }),
      needed: ["title", "color"],
      changed: (given) => sessionStorage.setItem(DRAFT, JSON.stringify(given)),
      async submit(given) {
        wrong.textContent = "";
        const { style, ...rest } = given;
        try {
          const made = await call("POST", "/generations", { body: { kind: "form", ...rest, style: style || null, n: PICTURES } });
          share(made.id);
          announce(w("tell.asked", { n: made.n }));
          put(made);
          drawn(made);
          return null;
        } catch (error) {
          if (!(error instanceof Problem) || error.code === "token_required") return complain(error);
          const { what, next } = explain(error);
          if (error.code !== "invalid_request") wrong.textContent = `${what} ${next}`;
          return error;
        }
      },
    }),
    wrong,
  );
}
