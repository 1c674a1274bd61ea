/**
 * Sheets with a small picture of every word, and of every style (python -m fashion word-pictures), and cells of them.
 */
import { h } from "./dom.js";

const [COLUMNS, SIDE] = [10, 48]; // of a sheet: cells in a row, pixels of a cell as it is shown

/**
 * @param {number | null} cell  of a sheet; null: nothing, where a word has no picture
 * @param {"word" | "style"} [sheet]
 * @returns {HTMLElement}
 */
export function cellOf(cell, sheet = "word") {
  if (cell === null) return h("span.cell");
  const url = `url(${new URL(`${sheet}_pictures.webp`, import.meta.url).href})`;
  const [x, y] = [cell % COLUMNS, Math.floor(cell / COLUMNS)];
  return h("span.cell", { vars: { "background-image": url, "background-position": `${-SIDE * x}px ${-SIDE * y}px` } });
}
