/**
 * A pattern on cloth, drawn in the browser as sliders move: the same sums as textile/application.py, at 512 pixels at most.
 * What it needs comes from /fabric/maps: above, mask (red) and light (green, 200 = well lit); below, how far right and down
 * the cloth is bent (128 = not at all, 127 levels = BEND of the longer side).
 */
import { API } from "./api.js";
import { h } from "./dom.js";

const LIT = 200;
const BEND = 0.02; // MOST_BEND of textile/shading.py
const SEAM = 2; // as in edges_meet of textile/application.py
const SEAM_LEVELS = 4;
const FINE = 4096; // steps from linear light back to sRGB
const TILE = [2, 1024]; // pixels of a tile as it is laid out

/** @typedef {import("../types").Picture} Picture */
/** @typedef {{item: string} | {picture: Picture}} Target */
/** @typedef {{scale: number, turn: number, offset_x: number, offset_y: number, mirror: boolean}} Placement */
/** @typedef {{width: number, height: number, photo: ImageData, mask: Uint8ClampedArray, found: Uint8ClampedArray, light: Float32Array,
 *   right: Float32Array, down: Float32Array}} Cloth  found: the mask as it came */

const linear = Float32Array.from({ length: 256 }, (_, i) => {
  const level = i / 255;
  return level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4;
});
const srgb = Uint8ClampedArray.from({ length: FINE + 1 }, (_, i) => {
  const light = i / FINE;
  return 255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055);
});

/** @param {Target} target @returns {{picture: string, maps: string, width: number, height: number}} */
export const sourcesOf = (target) =>
  "item" in target
    ? { picture: `${API}/fabric/item?item=${target.item}`, maps: `${API}/fabric/maps?item=${target.item}`, width: 512, height: 512 }
    : {
        picture: target.picture.url,
        maps: `${API}/fabric/maps?image=${target.picture.id}`,
        width: target.picture.width,
        height: target.picture.height,
      };

/**
 * The cloth of an item or a picture.
 * @param {Target} target
 * @returns {Promise<Cloth>}
 */
export async function clothOf(target) {
  const sources = sourcesOf(target);
  const maps = pixels(await loaded(sources.maps));
  const [width, height] = [maps.width, maps.height / 2];
  const photo = pixels(await loaded(sources.picture), width, height);
  const n = width * height;
  const cloth = {
    width,
    height,
    photo,
    mask: new Uint8ClampedArray(n),
    found: new Uint8ClampedArray(n),
    light: new Float32Array(n),
    right: new Float32Array(n),
    down: new Float32Array(n),
  };
  const side = Math.max(width, height);
  for (let i = 0, at = 0; i < n; i += 1, at += 4) {
    cloth.found[i] = cloth.mask[i] = maps.data[at];
    cloth.light[i] = (maps.data[at + 1] / LIT) ** 3; // OKLab's factor as one on linear light
    cloth.right[i] = ((maps.data[at + 4 * n] - 128) / 127) * BEND * side;
    cloth.down[i] = ((maps.data[at + 4 * n + 1] - 128) / 127) * BEND * side;
  }
  return cloth;
}

/** @param {string} url @returns {Promise<ImageBitmap>} */
export async function loaded(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return createImageBitmap(image);
}

/**
 * @param {ImageBitmap | HTMLCanvasElement} image
 * @param {number} [width]
 * @param {number} [height]
 * @returns {ImageData}
 */
export function pixels(image, width = image.width, height = image.height) {
  const canvas = h("canvas", { width, height });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, 0, 0, width, height);
  return pen.getImageData(0, 0, width, height);
}

/** @param {ImageData} pattern @returns {boolean} whether opposite edges differ no more than neighbours inside */
export function edgesMeet({ data, width, height }) {
  const differ = (/** @type {number} */ a, /** @type {number} */ b, /** @type {number} */ n, /** @type {number} */ step) => {
    let sum = 0;
    for (let i = 0; i < n; i += 1)
      for (let c = 0; c < 3; c += 1) sum += Math.abs(data[4 * (a + i * step) + c] - data[4 * (b + i * step) + c]);
    return sum / (3 * n);
  };
  /** @type {[number, number, number, number][]} lines, points of each, from a line to the next, from a point to the next */
  const ways = [[width, height, 1, width], [height, width, width, 1]];
  return ways.every(([lines, points, across, along]) => {
    if (lines < 3) return true;
    const inside = Array.from({ length: lines - 1 }, (_, i) => differ(i * across, (i + 1) * across, points, along));
    const mean = inside.reduce((a, b) => a + b, 0) / inside.length;
    return differ(0, (lines - 1) * across, points, along) <= Math.max(SEAM * mean, ...inside) + SEAM_LEVELS;
  });
}

/**
 * A pattern resampled so that a tile is `width` pixels wide: linear light, three numbers a pixel.
 * @param {ImageBitmap} pattern
 * @param {number} width
 * @param {boolean} mirror  two by two of it, every other one mirrored
 */
function tileOf(pattern, width, mirror) {
  const fit = (/** @type {number} */ length) => Math.round(Math.min(Math.max(length, TILE[0]), TILE[1]));
  const [w, t] = [fit(width), fit((width * pattern.height) / pattern.width)];
  const canvas = h("canvas", { width: mirror ? 2 * w : w, height: mirror ? 2 * t : t });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  pen.imageSmoothingQuality = "high";
  for (const [x, y] of mirror ? [[0, 0], [1, 0], [0, 1], [1, 1]] : [[0, 0]]) {
    pen.setTransform(x ? -1 : 1, 0, 0, y ? -1 : 1, x ? 2 * w : 0, y ? 2 * t : 0);
    pen.drawImage(pattern, 0, 0, w, t);
  }
  const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
  const light = new Float32Array((data.length / 4) * 3);
  for (let i = 0, at = 0; at < data.length; i += 3, at += 4)
    for (let c = 0; c < 3; c += 1) light[i + c] = linear[data[at + c]];
  return { light, width: canvas.width, height: canvas.height };
}

/** @type {{pattern: ImageBitmap, width: number, mirror: boolean, tile: ReturnType<typeof tileOf>} | null} the last one: moving keeps it */
let laid = null;

/**
 * Draw the cloth with the pattern on it.
 * @param {CanvasRenderingContext2D} pen  of a canvas of the cloth's size
 * @param {Cloth} cloth
 * @param {ImageBitmap | null} pattern  null: the picture as it is
 * @param {Placement} placement
 */
export function draw(pen, cloth, pattern, { scale, turn, offset_x, offset_y, mirror }) {
  const { width, height, photo, mask } = cloth;
  if (!pattern) return pen.putImageData(photo, 0, 0);
  const unit = scale * Math.max(width, height); // pixels of a tile's width
  if (laid?.pattern !== pattern || laid.width !== unit || laid.mirror !== mirror)
    laid = { pattern, width: unit, mirror, tile: tileOf(pattern, unit, mirror) };
  const { tile } = laid;
  const [cos, sin] = [Math.cos((turn * Math.PI) / 180), Math.sin((turn * Math.PI) / 180)];
  const [tw, th, each] = [tile.width, tile.height, tile.light];
  const zoom = tw / (mirror ? 2 * unit : unit);
  const [sx, sy] = [(0.5 - offset_x / (mirror ? 2 : 1)) * tw - 0.5, (0.5 - offset_y / (mirror ? 2 : 1)) * th - 0.5];
  const out = new ImageData(new Uint8ClampedArray(photo.data), width, height);
  for (let y = 0, i = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, i += 1) {
      const share = mask[i] / 255;
      if (!share) continue;
      const dx = x + 0.5 - width / 2 + cloth.right[i];
      const dy = y + 0.5 - height / 2 + cloth.down[i];
      const u = wrapped((cos * dx + sin * dy) * zoom + sx, tw);
      const v = wrapped((cos * dy - sin * dx) * zoom + sy, th);
      const [x0, y0] = [Math.floor(u), Math.floor(v)];
      const [x1, y1] = [x0 + 1 === tw ? 0 : x0 + 1, y0 + 1 === th ? 0 : y0 + 1];
      const [fx, fy, at] = [u - x0, v - y0, 4 * i];
      for (let c = 0; c < 3; c += 1) {
        const upper = each[3 * (y0 * tw + x0) + c] * (1 - fx) + each[3 * (y0 * tw + x1) + c] * fx;
        const lower = each[3 * (y1 * tw + x0) + c] * (1 - fx) + each[3 * (y1 * tw + x1) + c] * fx;
        const lit = Math.min(1, (upper * (1 - fy) + lower * fy) * cloth.light[i]);
        out.data[at + c] = share * srgb[Math.round(lit * FINE)] + (1 - share) * photo.data[at + c];
      }
    }
  }
  pen.putImageData(out, 0, 0);
}

/** @param {number} value @param {number} length */
const wrapped = (value, length) => ((value % length) + length) % length % length;

/**
 * Paint a round spot into the mask, soft at its edge.
 * @param {Cloth} cloth
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 * @param {boolean} erase
 */
export function paint({ width, height, mask }, x, y, radius, erase) {
  for (let j = Math.max(0, Math.floor(y - radius)); j <= Math.min(height - 1, y + radius); j += 1) {
    for (let i = Math.max(0, Math.floor(x - radius)); i <= Math.min(width - 1, x + radius); i += 1) {
      const share = Math.min(1, Math.max(0, (radius - Math.hypot(i - x, j - y)) / 2));
      const at = j * width + i;
      mask[at] = erase ? Math.min(mask[at], 255 * (1 - share)) : Math.max(mask[at], 255 * share);
    }
  }
}

/**
 * The mask as a picture of the size asked for: white where the cloth is.
 * @param {Cloth} cloth
 * @param {number} width
 * @param {number} height
 * @returns {Promise<Blob>}
 */
export async function maskFile(cloth, width, height) {
  const grey = new ImageData(cloth.width, cloth.height);
  for (let i = 0; i < cloth.mask.length; i += 1) {
    grey.data.fill(cloth.mask[i], 4 * i, 4 * i + 3);
    grey.data[4 * i + 3] = 255;
  }
  const canvas = h("canvas", { width, height });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.imageSmoothingQuality = "high";
  pen.drawImage(await createImageBitmap(grey), 0, 0, width, height);
  return new Promise((resolve, refuse) => canvas.toBlob((file) => (file ? resolve(file) : refuse(new Error("no file"))), "image/png"));
}
