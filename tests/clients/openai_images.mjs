// What scripts written with the `openai` package for Node.js do, against OPENAI_BASE_URL (tests/test_clients.py).
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ maxRetries: 1 });
const made = await client.images.generate({ model: "gpt-image-2", prompt: "빨간 원피스", n: 2, size: "256x256" });
assert.equal(made.data.length, 2);
const picture = Buffer.from(made.data[0].b64_json, "base64");
assert.equal(picture.subarray(1, 4).toString(), "PNG");

const kinds = [];
writeFileSync(process.env.HOLD, "");  // while this file is there the server draws nothing to its end
for await (const event of await client.images.generate({ prompt: "코트", stream: true, partial_images: 2 })) {
  kinds.push(event.type);
  rmSync(process.env.HOLD, { force: true });
}
assert.equal(kinds.at(-1), "image_generation.completed");
assert.ok(kinds.length > 1 && kinds.slice(0, -1).every((kind) => kind === "image_generation.partial_image"), kinds);

const file = () => toFile(picture, "picture.png", { type: "image/png" });
const source_prompt = "빨간 원피스";
const edited = await client.images.edit({ image: await file(), prompt: "파란 원피스", source_prompt });
assert.equal(edited.data.length, 1);
const several = await client.images.edit({ image: [await file(), await file()], prompt: "파란 원피스", source_prompt });
assert.equal(several.data.length, 2);

await assert.rejects(
  client.images.generate({ prompt: "코트", background: "transparent" }),
  (error) => error instanceof OpenAI.UnprocessableEntityError && error.param === "background",
);
await assert.rejects(async () => {
  for await (const _ of await client.images.generate({ prompt: "crash", stream: true }));
}, (error) => error instanceof OpenAI.APIError && error.code === "draw_failed");
assert.deepEqual((await client.models.list()).data.map((model) => model.id), ["geuryeojwo"]);
console.log("openai for Node.js ok");
