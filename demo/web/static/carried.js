/**
 * The settings that a picture file brings along, whoever wrote it: filled into the form, with what was left out said.
 */
import { toast } from "./say.js";
import * as settings from "./settings.js";
import { w } from "./words.js";

const PROGRAMS = { geuryeojwo: w("app.name"), a1111: "A1111", comfyui: "ComfyUI", invokeai: "InvokeAI", fooocus: "Fooocus" };

/** @param {import("../types").Carried | null} carried */
export function fill(carried) {
  if (!carried) return;
  const before = settings.body();
  const { styles = [], prompt = "", ...rest } = carried.settings;
  const tags = styles.map((/** @type {{name: string, weight: number}} */ s) => ` <lora:${s.name}:${s.weight}>`);
  settings.set({ ...rest, prompt: prompt + tags.join("") });
  const program = PROGRAMS[carried.program];
  const left = Object.keys(carried.left_out).join(", ");
  const text = left ? w("carried.some", { program, left }) : w("carried.all", { program });
  toast(text, { action: w("do.undo"), onaction: () => settings.set({ seed: null, steps: null, ...before }), ms: 12000 });
}
