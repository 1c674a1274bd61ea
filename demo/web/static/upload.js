/**
 * A picture of one's own to start from: chosen, dropped, pasted, or taken with the phone's camera.
 */
import { Problem, call } from "./api.js";
import * as carried from "./carried.js";
import { h, one } from "./dom.js";
import { announce, complain } from "./say.js";
import { facts, w } from "./words.js";

const TYPES = ["image/png", "image/jpeg", "image/webp"];
const { upload_bytes, upload_pixels, upload_webp_pixels } = facts.limits;
const SIDE = 2048; // of what is made smaller here: twice what the server keeps

/**
 * @param {(picture: import("../types").Picture) => void} onpicture
 */
export function begin(onpicture) {
  const take = async (/** @type {File} */ file) => {
    document.body.dataset.uploading = "yes";
    try {
      const picture = await send(await fitting(file));
      onpicture(picture);
      announce(w("tell.uploaded"));
      carried.fill(picture.carried);
    } catch (error) {
      complain(error);
    } finally {
      delete document.body.dataset.uploading;
    }
  };
  for (const id of ["#upload", "#camera"]) {
    const input = /** @type {HTMLInputElement} */ (one(id));
    input.addEventListener("change", () => {
      if (input.files?.[0]) take(input.files[0]);
      input.value = "";
    });
  }
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files || [])].find((f) => f.type.startsWith("image/"));
    if (file) (event.preventDefault(), take(file));
  });
  dropping(take);
}

/**
 * @param {Blob} file
 * @returns {Promise<import("../types").Uploaded>} as the server keeps it
 */
export async function send(file) {
  const body = new FormData();
  body.append("file", file, "picture"); // the name stays here: the server has no use for it
  return call("POST", "/images", { body });
}

/**
 * The file as the server takes it: what is too large (a phone's photo), or of a kind that only this browser knows, is made
 * smaller here.
 * @param {File} file
 * @returns {Promise<Blob>}
 * @throws {Problem} what the server would say too, said before anything is sent
 */
async function fitting(file) {
  const large = file.size > upload_bytes;
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Problem(large ? "too_large" : "bad_image", "");
  });
  const { width, height } = bitmap;
  const most = file.type === "image/webp" ? upload_webp_pixels : upload_pixels;
  if (!large && width * height <= most && TYPES.includes(file.type)) return (bitmap.close(), file);
  const scale = Math.min(1, SIDE / Math.max(width, height));
  const canvas = h("canvas", { width: Math.round(width * scale) || 1, height: Math.round(height * scale) || 1 });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const smaller = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
  if (!smaller) throw new Problem("image_too_large", "");
  return smaller;
}

/** @param {(file: File) => void} take */
function dropping(take) {
  const zone = one("#drop");
  let depth = 0;
  const holds = (/** @type {DragEvent} */ e) => e.dataTransfer?.types.includes("Files");
  const over = (/** @type {number} */ change) => (zone.hidden = (depth = Math.max(0, depth + change)) === 0);
  addEventListener("dragenter", (e) => holds(e) && (e.preventDefault(), over(1)));
  addEventListener("dragleave", (e) => holds(e) && over(-1));
  addEventListener("dragover", (e) => holds(e) && e.preventDefault());
  addEventListener("drop", (e) => {
    if (!holds(e)) return;
    e.preventDefault();
    over(-depth);
    const file = e.dataTransfer?.files[0];
    if (file) take(file);
  });
}
