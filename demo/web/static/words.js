/**
 * Everything the page says, in the language the server chose; the words themselves are demo/web/templates/words.json.
 */
const { words, language, ...given } = JSON.parse(document.getElementById("page-data")?.textContent || "{}");

/** @type {"ko" | "en"} */
export const lang = language;

/** What the server gives the page with the page itself (limits, days, notes). @type {import("../types").Facts} */
export const facts = given;

/**
 * @param {string} key
 * @param {Record<string, string | number>} [values]  fills {name}; a particle written both ways, 은(는) or (으)로, agrees
 * @returns {string}
 */
export function w(key, values = {}) {
  const text = words[key];
  if (text === undefined) throw new Error(`no words for ${key}`);
  return agree(
    text.replace(/\{(\w+)\}/g, (/** @type {string} */ _, /** @type {string} */ name) => String(values[name] ?? "")),
  );
}

/**
 * 원피스은(는) → 원피스는, ‘버킷햇’(으)로 → ‘버킷햇’으로; after what is no Hangul both ways stay.
 * @param {string} text
 * @returns {string}
 */
function agree(text) {
  // the final consonant, 0 for none, 8 for ㄹ; a loose letter by its name (ㄴ is 니은, ㅏ is 아)
  const last = (/** @type {string} */ letter) =>
    letter >= "\uac00" ? (letter.charCodeAt(0) - 0xac00) % 28 : letter === "\u3139" ? 8 : Number(letter < "\u314f");
  return text
    .replace(/([\u3131-\u3163\uac00-\ud7a3])([’”]?)([\uc740\uc774\uc744\uacfc])\(([\uac00-\ud7a3])\)/g, (_, end, quote, closed, open) =>
      end + quote + (last(end) ? closed : open),
    )
    .replace(/([\u3131-\u3163\uac00-\ud7a3])([’”]?)\(([\uac00-\ud7a3])\)([\uac00-\ud7a3])/g, (_, end, quote, vowel, rest) =>
      end + quote + (last(end) && last(end) !== 8 ? vowel : "") + rest, // after ㄹ as after a vowel
    );
}

/** @param {string} key @returns {boolean} */
export const hasWords = (key) => key in words;

/** @param {number} n @returns {string} */
export const number = (n) => new Intl.NumberFormat(lang).format(n);

/**
 * "3분 전", "3 minutes ago"; a date when it is long past.
 * @param {string} iso
 * @returns {string}
 */
export function ago(iso) {
  const seconds = (new Date(iso).getTime() - Date.now()) / 1000;
  const relative = new Intl.RelativeTimeFormat(lang, { numeric: "auto" });
  if (seconds > -45) return w("time.now");
  if (seconds > -3600) return relative.format(Math.round(seconds / 60), "minute");
  if (seconds > -86400) return relative.format(Math.round(seconds / 3600), "hour");
  if (seconds > -604800) return relative.format(Math.round(seconds / 86400), "day");
  return new Intl.DateTimeFormat(lang, { dateStyle: "medium" }).format(new Date(iso));
}

/**
 * Seconds a person can use: "약 8초", "about 8 s".
 * @param {number} seconds
 * @returns {string}
 */
export function about(seconds) {
  if (seconds < 1) return w("time.soon");
  if (seconds < 90) return w("time.seconds", { n: Math.ceil(seconds) });
  return w("time.minutes", { n: Math.round(seconds / 60) });
}
