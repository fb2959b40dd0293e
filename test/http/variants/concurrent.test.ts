import { afterAll, describe, expect, test } from "bun:test";
import sharp from "sharp";
import { startStore } from "../harness.ts";
import { newAlbum, sha256 } from "../image-fixtures.ts";
import { bytesOf, noise, PHOTO, rendersOf, startVariantStore, upload } from "./variant-store.ts";

const { store, album, content, get } = await startVariantStore();
afterAll(() => store[Symbol.asyncDispose]());

describe("concurrent requests", () => {
  test("for one cold variant (200 of them) cost one render", async () => {
    const before = await rendersOf(store);
    const answers = await Promise.all(Array.from({ length: 200 }, () => get(`${content}?w=123&format=png`)));
    const digests = await Promise.all(answers.map(async (answer) => sha256(await bytesOf(answer))));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(new Set(digests).size).toBe(1);
    expect((await rendersOf(store)) - before).toBe(1);
  });

  test("for different variants are answered, or 503 with Retry-After", async () => {
    await using busy = await startStore({ RENDERERS: "1" });
    const image = await upload(busy, await newAlbum(busy), "a", PHOTO);
    // Over sockets of their own: fetch has 256 at most.
    const answers = await Promise.all(
      Array.from({ length: 320 }, async (_, index) => {
        const target = `${image.links.content}?w=${index + 1}`;
        const { text } = await busy.sendRaw(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
        const end = text.indexOf("\r\n\r\n") + 4;
        return { head: text.slice(0, end), body: Buffer.from(text.slice(end), "latin1") };
      }),
    );
    const statuses = answers.map(({ head }) => head.slice(9, 12));
    expect([...new Set(statuses)].sort()).toEqual(["200", "503"]);
    for (const [index, { head, body }] of answers.entries()) {
      if (statuses[index] === "503") expect(head).toMatch(/^Retry-After: 1\r$/im);
      else expect((await sharp(body).metadata()).width).toBe(index + 1);
    }
  });

  test("cancel their render when the client disconnects", async () => {
    const image = await upload(store, album, "noise", await noise(2000, 1500).jpeg().toBuffer());
    const before = await rendersOf(store, "cancelled");
    const isCancelled = async () => (await rendersOf(store, "cancelled")) > before;
    // On a busy machine a render may begin only when its client has left: then another client waits longer.
    for (let pause = 100; !(await isCancelled()); pause += 100) {
      const leaving = new AbortController();
      const left = store.fetch(`${image.links.content}?format=avif&q=100`, { signal: leaving.signal });
      setTimeout(() => leaving.abort(), pause);
      expect(await left.catch((error: Error) => error.name)).toBe("AbortError");
      for (let turn = 0; turn < 20 && !(await isCancelled()); turn++) await Bun.sleep(10);
    }
  });
});
