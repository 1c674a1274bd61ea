/**
 * Change words of the picture that the viewer shows, and keep the rest: by a word, by a sentence, by fields. Loaded when a
 * picture is first looked at; which words can be changed, and into what, the service says (/images/ID/words).
 */
import { Problem, call, explain, get } from "./api.js";
import { cellOf } from "./cells.js";
import { fill, h, icon, walk } from "./dom.js";
import { fieldsForm } from "./fields.js";
import { swap } from "./generation_card.js";
import { lineageOf } from "./lineage.js";
import { announce } from "./say.js";
import { find, listen, put, share, unfinished } from "./store.js";
import { w } from "./words.js";

/**
 * @typedef {import("../types").Picture} Picture
 * @typedef {import("../types").Alternative} Alternative
 * @typedef {import("./panel.js").View} View
 */

const MODES = ["words", "sentence", "fields"];
let mode = "words";
let count = 1;
/** @type {{id: string, view: View, from: Picture, shown: string, ahead: HTMLElement} | null} the edit that is being drawn */
let going = null;
let arrived = ""; // at the picture that was edited last
/** @type {ReturnType<typeof editor> | null} of the picture that is looked at */
let current = null;

listen((id, generation) => {
  if (!going || id !== going.id) return;
  if (generation && unfinished(generation)) return current?.render();
  const { view, from, shown } = going;
  going = null;
  if (generation?.status === "succeeded" && generation.images.length && view.looking(shown)) {
    announce(w("edit.done"));
    arrived = generation.images[0].id;
    view.goTo(generation.images[0], from);
  } else current?.fail(generation?.error ?? null);
});

/**
 * What stands in the panel for one picture; the same element as long as that picture is looked at.
 * @param {View} view
 * @returns {HTMLElement}
 */
export function editorOf(view) {
  const picture = view.g.images[view.i];
  if (current?.id !== picture.id) current = editor(view, picture);
  else current.render();
  return current.element;
}

/** @param {View} view @param {Picture} picture */
function editor(view, picture) {
  const place = h("section.edit", { "aria-label": w("edit.title") });
  const family = h("div");
  const element = h("div.study", {}, place, family);
  /** @type {import("../types").PictureWords | null} */
  let words = null;
  let said = ""; // what an upload shows, once it was said or the guess was accepted
  let opened = "";
  /** @type {{what: string, next: string} | null} */
  let wrong = null;
  const photo = picture.kind === "upload";

  /** @param {string} selector */
  const focus = (selector) => {
    const found = place.querySelector(selector);
    if (found instanceof HTMLElement) found.focus({ preventScroll: true });
  };

  async function load() {
    try {
      const [told, info] = await Promise.all([get(`/images/${picture.id}/words`), get(`/images/${picture.id}/info`)]);
      words = told;
      if (view.looking(picture.id)) Object.assign(view, { parent: info.parent, family: view.g.id });
      family.replaceChildren(...lineageOf(picture, view.g.prompt, info, view.goTo));
    } catch (error) {
      return fail(error);
    }
    if (!view.looking(picture.id)) return;
    view.render();
    if (arrived === picture.id) focus("[data-key=undo]");
  }

  /** @param {any} error */
  function fail(error) {
    wrong = error ? explain(error) : null;
    render();
    if (wrong) announce(`${wrong.what} ${wrong.next}`);
  }

  /** @param {Record<string, any>} change @returns {Promise<unknown>} what was refused */
  async function draw(change) {
    if (going) return null;
    wrong = null;
    const body = { kind: "edit", source_image: picture.id, n: count, ...(said && { source_prompt: said }), ...change };
    try {
      const made = await call("POST", "/generations", { body });
      going = { id: made.id, view, from: picture, shown: picture.id, ahead: ahead(made.n) };
      opened = "";
      share(made.id);
      announce(w("tell.asked", { n: made.n }));
      put(made);
      render();
      focus("button");
      return null;
    } catch (error) {
      fail(error);
      return error;
    }
  }

  function render() {
    if (going?.shown === picture.id) return fill(place, waiting(going.id));
    if (!words) return fill(place, wrong ? [refusal()] : [h("p.soft", {}, w("edit.loading"))]);
    const unsaid = photo && !said;
    fill(place, [
      view.parent && h("div.group", {}, undo(view.parent), comparing()),
      ...(unsaid ? telling(words) : [heading(), body(words)]),
      wrong && refusal(),
    ]);
  }

  const refusal = () => h("p.wrong", { role: "alert" }, `${wrong?.what} ${wrong?.next}`);

  /** @param {Picture} parent */
  const undo = (parent) =>
    h("button.secondary", { data: { key: "undo" }, onclick: () => view.goTo(parent) }, icon("undo"), w("edit.undo"));

  const comparing = () =>
    h(
      "button.quiet",
      {
        "aria-pressed": String(view.comparing === "parent"),
        data: { key: "beside" },
        onclick: () => ((view.comparing = view.comparing === "parent" ? "" : "parent"), view.render()),
      },
      icon("compare"),
      w("edit.compare"),
    );

  const heading = () =>
    h(
      "div.edit-head",
      {},
      h("div.kinds", { role: "group", "aria-label": w("edit.title") }, MODES.map((name) =>
        h(
          "button.kind",
          {
            "aria-pressed": String(mode === name),
            data: { key: `mode-${name}` },
            onclick: () => (([mode, wrong] = [name, null]), render()),
          },
          w(`edit.${name}`),
        ))),
      h("div.segments", { role: "radiogroup", "aria-label": w("edit.count") }, [1, 4].map((n) =>
        h("label", {}, variants(n), h("span", {}, w("more.count", { n }))))),
    );

  const variants = (/** @type {number} */ n) =>
    h("input", {
      type: "radio",
      name: "variants",
      value: n,
      checked: count === n,
      data: { key: `n-${n}` },
      onchange: () => (count = n),
    });

  /** @param {import("../types").PictureWords} told */
  function body(told) {
    if (mode === "sentence") return sentenceForm(told.text, w("edit.draw"), (prompt) => draw({ prompt }));
    if (mode === "fields")
      return fieldsForm({
        values: { ...told.fields },
        label: w("edit.draw"),
        needed: ["title"],
        async submit(given) {
          const changed = Object.entries(told.fields).some(([name, value]) => given[name] !== value);
          return changed ? draw(given) : fail(new Problem("edit_nothing", ""));
        },
      });
    return h(
      "div.by-word",
      {},
      h("p.soft", {}, w(told.words.length ? "edit.hint" : "edit.no_words")),
      sentence(told),
      offers(told),
      photo && h("button.link", { data: { key: "resay" }, onclick: () => ((said = ""), render()) }, w("edit.resay")),
    );
  }

  /** @param {import("../types").PictureWords} told  its text with a button for every word that can be changed */
  function sentence(told) {
    /** @type {import("./dom.js").Child[]} */
    const parts = [];
    let at = 0;
    for (const word of told.words) {
      parts.push(told.text.slice(at, word.start), opener(`at-${word.start}`, word.text, `${word.text}: ${word.label}`));
      at = word.end;
    }
    const added = told.additions.map((each) => opener(`add-${each.slot}`, `+ ${each.label}`));
    return h("p.sentence", {}, ...parts, told.text.slice(at), " ", ...added);
  }

  /** @param {string} key @param {string} text @param {string} [name] */
  const opener = (key, text, name) =>
    h(
      "button.word",
      {
        "aria-expanded": String(opened === key),
        "aria-label": name,
        data: { key },
        onclick() {
          [opened, wrong] = [opened === key ? "" : key, null];
          render();
          if (opened) focus(".offer");
        },
      },
      text,
    );

  /** @param {import("../types").PictureWords} told  what can stand in the place of the word that is open */
  function offers(told) {
    const word = told.words.find((each) => `at-${each.start}` === opened);
    const added = told.additions.find((each) => `add-${each.slot}` === opened);
    const all = word?.alternatives ?? added?.alternatives;
    if (!all) return null;
    const take = (/** @type {Alternative} */ each) =>
      draw(
        word
          ? { replace: [{ from: word.text, to: each.text, start: word.start }] }
          : { prompt: `${told.text}, ${each.text}` },
      );
    const label = word ? w("edit.instead", { word: word.text }) : w("edit.more", { label: added?.label ?? "" });
    const list = h(
      "div.offers",
      { role: "group", "aria-label": label },
      all.map((each) =>
        h("button.offer", { data: { key: each.id }, onclick: () => take(each) }, thumbnail(each), h("span", {}, each.text)),
      ),
    );
    const mark = walk(list, "button", (key) => {
      if (key !== "Escape") return false;
      const back = opened;
      opened = "";
      render();
      focus(`[data-key="${back}"]`);
      return true;
    });
    mark();
    return list;
  }

  /** @param {import("../types").PictureWords} told  an upload: what it shows is guessed, and said by its owner */
  function telling(told) {
    const send = async (/** @type {string} */ text) => {
      try {
        words = await get(`/images/${picture.id}/words?text=${encodeURIComponent(text)}`);
        [said, wrong] = [text, null];
        render();
        focus("button.word");
      } catch (error) {
        fail(error);
      }
    };
    return [
      h("h3", {}, w("edit.what")),
      h("p.soft", {}, w(told.guessed ? "edit.guessed" : "edit.unguessed")),
      sentenceForm(told.text, w("edit.accept"), send, w("edit.example")),
    ];
  }

  load();
  render();
  return { id: picture.id, element, render, fail };
}

/** @param {Alternative} each  a swatch of a colour, a cell of the sheet, or nothing */
function thumbnail(each) {
  return each.rgb ? h("span.cell", { vars: { "background-color": each.rgb } }) : cellOf(each.cell);
}

/** @param {string} text @param {string} label @param {(text: string) => unknown} send @param {string} [hint] */
function sentenceForm(text, label, send, hint = "") {
  const field = h("textarea", {
    value: text,
    rows: 3,
    maxLength: 500,
    placeholder: hint,
    "aria-label": w("edit.sentence_label"),
    data: { key: "sentence" },
  });
  const submit = () => (field.value.trim() ? send(field.value.normalize("NFC").trim()) : field.focus());
  return h(
    "form.by-sentence",
    { novalidate: true, onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), submit()) },
    field,
    h("button.primary", { type: "submit", data: { key: "send" } }, label),
  );
}

/** @param {string} id  how far the edit is */
function waiting(id) {
  const g = find(id);
  const { step = 0, steps = 1, preview_urls: urls = [] } = g?.progress ?? {};
  const stop = (/** @type {Event} */ event) => {
    /** @type {HTMLButtonElement} */ (event.currentTarget).ariaDisabled = "true";
    call("POST", `/generations/${id}/cancel`).then(put, (error) => current?.fail(error));
  };
  const places = going?.ahead.querySelectorAll("img") ?? [];
  places.forEach((img, i) => urls[i] && swap(img, urls[i]));
  return [
    h("p", { role: "status" }, w(g?.position ? "where.queued" : "edit.going", { n: g?.position ?? 0 })),
    going && going.ahead,
    h("progress", { max: steps, value: step, "aria-label": w("stage.progress") }),
    h("button.quiet", { data: { key: "stop" }, onclick: stop }, w("do.cancel")),
  ];
}

/** @param {number} n  places of pictures that are on their way, the same elements until the edit has ended */
function ahead(n) {
  const place = () => h("span.coming", {}, h("img", { alt: "", hidden: true }));
  return h("div.ahead", { "aria-hidden": "true" }, Array.from({ length: n }, place));
}
