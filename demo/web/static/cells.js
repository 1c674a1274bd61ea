/**
 * The sheet with a small picture of every word (python -m fashion word-pictures), and cells of it.
 */
import { h } from "./dom.js";

const SHEET = `url(${new URL("word_pictures.webp", import.meta.url).href})`;
const [COLUMNS, SIDE] = [10, 48]; // of the sheet: cells in a row, pixels of a cell as it is shown

/** @param {number | null} cell  of the sheet; null: nothing, where a word has no picture @returns {HTMLElement} */
export function cellOf(cell) {
  if (cell === null) return h("span.cell");
  const [x, y] = [cell % COLUMNS, Math.floor(cell / COLUMNS)];
  const place = `${-SIDE * x}px ${-SIDE * y}px`;
  return h("span.cell", { vars: { "background-image": SHEET, "background-position": place } });
}
