/**
 * What the page's modules are given: the JSON of /api/v1 (docs/reference/api.md) and the facts that come with the page
 * (`_page_data` in demo/web/pages.py). Read by `make lint-js` alone; never sent to a browser.
 * A test compares the API's shapes, field by field, with the OpenAPI document.
 */

export interface Note {
  code: string;
  message: string;
}

export interface Picture {
  id: string;
  kind: "generation" | "upload";
  generation_id: string | null;
  url: string;
  thumbnail_url: string;
  base_url: string | null;
  width: number;
  height: number;
  seed: number | null;
  /** its owner's alone, though its set is public */
  withheld: boolean;
  likes: number;
}

/** A shape that the checkpoint draws, as a form offers it. */
export interface OfferedShape {
  name: "square" | "portrait" | "landscape";
  width: number;
  height: number;
}

/** A picture of a list. */
export interface Item extends Picture {
  prompt: string;
  created_at: string;
  position: number;
  visibility: "private" | "public";
  mine: boolean;
  liked: boolean;
}

export interface ListPage {
  items: Item[];
  next_cursor: string | null;
  total: number | null;
}

export interface Collection {
  id: string;
  name: string;
  count: number;
  cover: Picture | null;
}

export interface Closet {
  collections: Collection[];
  liked: number;
}

/** A name in both languages. */
export interface Labelled {
  id: string;
  label: Record<"ko" | "en", string>;
}

/** What patterns can be of and put on. */
export interface Fabric {
  categories: Labelled[];
  items: Labelled[];
  patterns: boolean;
  finds_garments: boolean;
}

/** A public picture with what its owner says of it. */
export interface Post {
  image: Picture;
  prompt: string;
  caption: string;
  author: string;
  mine: boolean;
  url: string;
}

/** Settings that a file brought along. */
export interface Carried {
  program: "geuryeojwo" | "a1111" | "comfyui" | "invokeai" | "fooocus";
  settings: Record<string, any>;
  left_out: Record<string, string>;
}

export interface Uploaded extends Picture {
  carried: Carried | null;
}

export interface Progress {
  stage: string;
  step: number;
  steps: number;
  seconds_left: number;
  preview_url: string | null;
  preview_urls: string[];
}

export interface Past {
  generation_id: string;
  prompt: string;
  /** none for what was listed, not found */
  score?: number;
  created_at: string;
  mine: boolean;
  seed: number;
  images: Picture[];
}

export interface Generation {
  id: string;
  kind: string;
  status: "queued" | "running" | "succeeded" | "failed" | "cancelled";
  created_at: string;
  prompt: string;
  negative_prompt: string;
  n: number;
  seed: number;
  steps: number | null;
  guidance_scale: number | null;
  refine: boolean;
  refine_strength: number | null;
  width?: number | null;
  height?: number | null;
  style: string | null;
  style_weight: number;
  styles: StyleUse[];
  source_image: string | null;
  strength: number | null;
  visibility: "private" | "public";
  mine: boolean;
  hidden: boolean;
  position: number | null;
  progress: Progress | null;
  images: Picture[];
  timings: Record<string, number>;
  warnings: Note[];
  error: Note | null;
}

/** A picture of the family of another. */
export interface Relative extends Picture {
  prompt: string;
}

export interface ImageInfo extends Picture {
  parent_state: "none" | "shown" | "hidden" | "private" | "deleted";
  parent: Relative | null;
  ancestors: Relative[];
  line_state: "none" | "shown" | "hidden" | "private" | "deleted";
  children: Relative[];
  visibility: "private" | "public";
  liked: boolean;
  collections: string[];
}

export interface Alternative {
  id: string;
  text: string;
  rgb: string | null;
  cell: number | null;
}

export interface EditableWord {
  start: number;
  end: number;
  text: string;
  slot: string;
  label: string;
  id: string;
  alternatives: Alternative[];
}

export interface Addition {
  slot: string;
  label: string;
  alternatives: Alternative[];
}

export interface PictureWords {
  known: boolean;
  guessed: boolean;
  text: string;
  words: EditableWord[];
  additions: Addition[];
  fields: Record<string, string>;
}

export interface Accepted extends Generation {
  similar: Past[];
}

export interface GenerationPage {
  items: Generation[];
  next_cursor: string | null;
}

export interface PicturePage {
  items: Picture[];
  next_cursor: string | null;
}

export interface Found {
  query: string;
  results: Past[];
  took_ms: number;
}

export interface Suggestion {
  text: string;
  kind: string;
  completed: string;
}

export interface UnknownWord {
  word: string;
  start: number;
  end: number;
}

export interface ReadAs {
  word: string;
  meant: string;
  start: number;
  end: number;
}

export interface Analysis {
  normalized: string;
  tokens: number | null;
  max_tokens: number | null;
  unknown_words: UnknownWord[];
  read_as: ReadAs[];
  unwanted: string;
  warnings: Note[];
  allowed: boolean;
  outside: boolean;
  examples: string[];
}

export interface Me {
  generations: number;
  images: number;
  bytes: number;
}

export interface Receipt {
  receipt: string;
  complete: boolean;
  generations: number;
  images: number;
  children_kept: number;
}

export interface StyleOffer {
  name: string;
  kind: "prompt" | "lora";
  label: Record<"ko" | "en", string>;
  trigger: string;
  example: string;
  base: string;
  sha256: string;
  cell: number | null;
}

/** A LoRA style and how strongly a picture is drawn with it. */
export interface StyleUse {
  name: string;
  weight: number;
}

/** Settings that draw a picture, as a form, a link or a draft holds them: any of them may be missing. */
export interface Settings {
  prompt?: string;
  negative_prompt?: string;
  n?: number;
  seed?: number | null;
  steps?: number | null;
  guidance_scale?: number | null;
  refine?: boolean;
  refine_strength?: number | null;
  width?: number | null;
  height?: number | null;
  style?: string | null;
  style_weight?: number | null;
  styles?: StyleUse[];
  source_image?: string | null;
  strength?: number | null;
  visibility?: "private" | "public";
}

/** What is allowed of a number, and what a slider offers of it: low, high, step (jobspec/fields.py). */
export interface Range {
  minimum: number;
  maximum: number;
  exclusiveMaximum: number;
  default: number;
  slider: [number, number, number];
}

/** What the server says with the page itself, in the page's language. */
export interface Facts {
  limits: {
    prompt_characters: number;
    n: number;
    upload_bytes: number;
    upload_pixels: number;
    upload_webp_pixels: number;
    ranges: Record<"draw" | "vary" | "apply", Record<string, Range>>;
  };
  defaults: {
    n: number;
    steps: number | null;
    guidance_scale: number | null;
    refine_strength: number | null;
    refine: boolean;
    strength: number;
    style_weight?: number;
  };
  examples: string[];
  chips: { kind: string; label: string; words: string[] }[];
  retention_days: number;
  trash_days: number;
  refines: boolean;
  drafts: boolean;
  access: string;
}

/** What GET answers, by path under /api/v1. */
export type AnswerTo<Path extends string> = Path extends `/generations?${string}` | `/gallery?${string}`
  ? GenerationPage
  : Path extends `/pictures?${string}`
    ? ListPage
    : Path extends `/images/${string}/post`
      ? Post
      : Path extends `/generations/${string}`
    ? Generation
    : Path extends `/images/${string}/words${string}`
      ? PictureWords
      : Path extends `/images/${string}/info`
        ? ImageInfo
        : Path extends `/images?${string}` | `/trash?${string}`
      ? PicturePage
      : Path extends `/search?${string}`
        ? Found
        : Path extends `/suggest?${string}`
          ? { suggestions: Suggestion[] }
          : Path extends `/receipts/${string}`
            ? Receipt
            : Path extends keyof Answers
              ? Answers[Path]
              : never;

interface Answers {
  "/me": Me;
  "/closet": Closet;
  "/fabric": Fabric;
  "/styles": { styles: StyleOffer[] };
  "/models": { checkpoint: { loaded: boolean }; defaults: Partial<Facts["defaults"]>; shapes: OfferedShape[] };
}

/** The element that a tag with classes makes: "button.quiet.small" a button. */
export type Made<Tag extends string> = Tag extends `${infer Name}.${string}` ? Named<Name> : Named<Tag>;
type Named<Name extends string> = Name extends keyof HTMLElementTagNameMap ? HTMLElementTagNameMap[Name] : HTMLElement;
