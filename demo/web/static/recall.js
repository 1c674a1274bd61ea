/**
 * The prompts that one drew before, by arrow up in the prompt, as a shell has it; arrow down goes back to what was written.
 */
import { get } from "./api.js";

const MOST = 40;

/** @type {string[]} the newest first, each once */
let prompts = [];
let at = -1; // of what is shown; -1: what was written
let written = "";
let asked = false;

/** A drawing was asked for: it is the newest. @param {string} prompt */
export function remember(prompt) {
  prompts = [prompt, ...prompts.filter((one) => one !== prompt)].slice(0, MOST);
  at = -1;
}

/**
 * Take a key of the prompt that may mean an earlier one.
 * @param {KeyboardEvent} event
 * @param {HTMLTextAreaElement} field
 * @param {(prompt: string) => void} show
 * @returns {boolean} whether it did
 */
export function recall(event, field, show) {
  const browsing = at >= 0 && field.value === prompts[at];
  if (!browsing) at = -1;
  const atStart = field.selectionEnd === 0 || browsing;
  if (event.key === "ArrowUp" && atStart && !event.shiftKey) {
    event.preventDefault();
    step(1, field, show);
    return true;
  }
  if (event.key === "ArrowDown" && browsing && !event.shiftKey) {
    event.preventDefault();
    step(-1, field, show);
    return true;
  }
  return false;
}

/** @param {1 | -1} way @param {HTMLTextAreaElement} field @param {(prompt: string) => void} show */
async function step(way, field, show) {
  if (!asked) {
    asked = true;
    const { items } = await get(`/generations?limit=${MOST}`).catch(() => ({ items: [] }));
    const before = items.map((generation) => generation.prompt);
    prompts = [...new Set([...prompts, ...before])].slice(0, MOST);
  }
  const to = at + way;
  if (to >= prompts.length || to < -1) return;
  if (at < 0) written = field.value;
  at = to;
  show(at < 0 ? written : prompts[at]);
}
