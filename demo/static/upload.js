/**
 * A picture of one's own to start from: chosen, dropped, pasted, or taken with the phone's camera.
 */
import { Problem, call } from "./api.js";
import { one } from "./dom.js";
import { announce, complain } from "./say.js";
import { told, w } from "./words.js";

const TYPES = ["image/png", "image/jpeg", "image/webp"];
const { upload_bytes, upload_pixels } = told.limits;

/**
 * @param {(picture: import("./api.js").Picture) => void} onpicture
 */
export function begin(onpicture) {
  const take = async (/** @type {File} */ file) => {
    document.body.dataset.uploading = "yes";
    try {
      await check(file);
      const body = new FormData();
      body.append("file", file, "picture"); // the name stays here: the server has no use for it
      onpicture(await call("POST", "/images", { body }));
      announce(w("tell.uploaded"));
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
 * @param {File} file
 * @throws {Problem} what the server would say too, said before anything is sent
 */
async function check(file) {
  if (file.size > upload_bytes) throw new Problem("too_large", "");
  if (file.type && !TYPES.includes(file.type)) throw new Problem("bad_image", "");
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Problem("bad_image", "");
  });
  const pixels = bitmap.width * bitmap.height;
  bitmap.close();
  if (pixels > upload_pixels) throw new Problem("image_too_large", "");
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
