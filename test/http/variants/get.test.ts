import { afterAll, describe, expect, test } from "bun:test";
import sharp from "sharp";
import { jsonOf } from "../harness.ts";
import { codeOf, sha256 } from "../image-fixtures.ts";
import { bytesOf, startVariantStore, stripes, upload } from "./variant-store.ts";

const { store, album, photo, logo, clip, content, get } = await startVariantStore();
afterAll(() => store[Symbol.asyncDispose]());

const lastingHeaders = ({ headers }: Response) => {
  const { date: _date, "x-request-id": _id, ...others } = Object.fromEntries(headers);
  return others;
};

describe("GET of a variant", () => {
  const pictures: readonly (readonly [query: string, expected: string])[] = [
    ["w=160", "image/jpeg 160x107"],
    ["h=200", "image/jpeg 300x200"],
    ["w=100&dpr=2", "image/jpeg 200x133"],
    ["w=100&h=100", "image/jpeg 100x100"],
    ["w=100&h=100&fit=contain&background=0ff", "image/jpeg 100x100"],
    ["w=100&h=100&fit=fill", "image/jpeg 100x100"],
    ["w=100&h=100&fit=inside", "image/jpeg 100x67"],
    ["w=100&h=100&crop=attention", "image/jpeg 100x100"],
    ["w=100&h=100&crop=entropy", "image/jpeg 100x100"],
    ["w=4000", "image/jpeg 600x400"],
    ["w=4000&h=4000", "image/jpeg 400x400"],
    ["format=webp", "image/webp 600x400"],
    ["w=160&format=png", "image/png 160x107"],
    ["w=160&format=avif", "image/avif 160x107"],
    ["w=160&q=10", "image/jpeg 160x107"],
    ["w=160&blur=5", "image/jpeg 160x107"],
    ["preset=thumb", "image/jpeg 240x240"],
    ["preset=small&format=webp", "image/webp 480x320"],
  ];
  test.each(pictures)("for %s is %s, by every path", async (query, expected) => {
    const bodies: Buffer[] = [];
    for (const path of [content, photo.links.content]) {
      const response = await get(`${path}?${query}`);
      expect(response.status).toBe(200);
      const body = await bytesOf(response);
      const { width, height } = await sharp(body).metadata();
      expect(`${response.headers.get("content-type")} ${width}x${height}`).toBe(expected);
      bodies.push(body);
    }
    expect(bodies[0]?.equals(bodies[1] ?? Buffer.alloc(0))).toBe(true);
  });

  test.each([
    ["w=100&h=400&crop=0,0.5", [255, 0, 0]],
    ["w=100&h=400&crop=centre", [0, 255, 0]],
    ["w=100&h=400&crop=1,0.5", [0, 0, 255]],
    ["w=100&h=400", [0, 0, 255]],
  ])("%s has the expected pixels", async (query, colour) => {
    const focal = await upload(
      store,
      album,
      `focal ${query}.png`,
      await stripes(600, 400, ["#f00", "#0f0", "#00f"]).png().toBuffer(),
    );
    expect((await store.send("PATCH", focal.links.self, { focalPoint: { x: 0.9, y: 0.5 } })).status).toBe(200);
    const body = await bytesOf(await get(`${focal.links.self}/content?${query}`));
    const { channels } = await sharp(body).stats();
    expect(channels.slice(0, 3).map(({ mean }) => Math.round(mean))).toEqual(colour);
  });

  test("has the background in empty areas", async () => {
    const body = await bytesOf(await get(`${logo.links.self}/content?format=jpeg&background=0000ff&q=100`));
    const [red, green, blue] = await sharp(body).extract({ left: 0, top: 0, width: 1, height: 1 }).raw().toBuffer();
    expect([red ?? 255, green ?? 255, 255 - (blue ?? 0)].every((difference) => difference < 5)).toBe(true);
    const kept = await bytesOf(await get(`${logo.links.self}/content?w=100`));
    expect((await sharp(kept).stats()).isOpaque).toBe(false);
  });

  test("is animated for an animation, unless a still is requested", async () => {
    const moving = [
      ["w=40", "image/webp 40x30x3"],
      ["w=40&frame=0", "image/png 40x30x1"],
      ["w=40&format=jpeg", "image/jpeg 40x30x1"],
    ];
    for (const [query, expected] of moving) {
      const response = await get(`${clip.links.self}/content?${query}`);
      const { pages = 1, width, pageHeight, height } = await sharp(await bytesOf(response)).metadata();
      expect(`${response.headers.get("content-type")} ${width}x${pageHeight ?? height}x${pages}`).toBe(expected ?? "");
    }
  });

  test("has the headers of an original except Last-Modified, with an ETag and a digest of its own", async () => {
    const original = await get(content);
    const variant = await get(`${content}?w=240&format=webp`);
    const body = await bytesOf(variant);
    expect([...variant.headers.keys()].sort()).toEqual(
      [...original.headers.keys(), "content-location"].filter((name) => name !== "last-modified").toSorted(),
    );
    const digest = sha256(body);
    expect(variant.headers.get("etag")).toBe(`"${digest}"`);
    expect(variant.headers.get("repr-digest")).toBe(`sha-256=:${Buffer.from(digest, "hex").toString("base64")}:`);
    expect(variant.headers.get("content-length")).toBe(String(body.byteLength));
    expect(variant.headers.get("content-disposition")).toContain('filename="stripes.webp"');
    for (const name of ["content-security-policy", "cross-origin-resource-policy", "accept-ranges"]) {
      expect(variant.headers.get(name)).toBe(original.headers.get(name));
    }
    expect((await get(`${logo.links.self}/content?w=9&format=jpeg`)).headers.get("content-disposition")).toContain(
      'filename="logo.jpg"',
    );
    expect((await get(`${logo.links.self}/content?w=9`)).headers.get("content-disposition")).toContain(
      'filename="logo"',
    );
  });

  test("HEAD has the headers of GET, for a new and a cached variant", async () => {
    const path = `${content}?w=77`;
    const head = await store.fetch(path, { method: "HEAD" });
    const whole = await get(path);
    const again = await store.fetch(path, { method: "HEAD" });
    expect(lastingHeaders(head)).toEqual(lastingHeaders(whole));
    expect(lastingHeaders(again)).toEqual(lastingHeaders(whole));
    expect([head.status, (await bytesOf(head)).byteLength]).toEqual([200, 0]);
  });

  test("supports conditions and ranges", async () => {
    const path = `${content}?w=320`;
    const whole = await get(path);
    const etag = whole.headers.get("etag") ?? "";
    const body = await bytesOf(whole);
    expect((await get(path, { "If-None-Match": etag })).status).toBe(304);
    expect((await get(path, { "If-None-Match": `"${photo.sha256}"` })).status).toBe(200);
    expect((await get(path, { "If-Match": etag })).status).toBe(200);
    expect(await codeOf(await get(path, { "If-Match": `"${photo.sha256}"` }))).toBe("precondition_failed");
    const part = await get(path, { Range: "bytes=10-19", "If-Range": etag });
    expect([part.status, part.headers.get("content-range")]).toEqual([206, `bytes 10-19/${body.byteLength}`]);
    expect(await bytesOf(part)).toEqual(body.subarray(10, 20));
    expect((await get(path, { Range: "bytes=10-19", "If-Range": '"other"' })).status).toBe(200);
    expect(await codeOf(await get(path, { Range: "bytes=9999999-" }))).toBe("range_not_satisfiable");
  });

  test.each([
    ["w=0", "invalid_variant", "w"],
    ["w=99999", "invalid_variant", "w"],
    ["q=abc", "invalid_variant", "q"],
    ["preset=huge", "invalid_variant", "preset"],
    ["preset=thumb&w=100", "invalid_variant", "w"],
    ["width=100", "unknown_parameter", "width"],
    ["w=100&w=100", "unknown_parameter", "w"],
  ])("with %s is %s", async (query, code, parameter) => {
    for (const path of [content, photo.links.content]) {
      const response = await get(`${path}?${query}`);
      expect(response.status).toBe(400);
      expect(await jsonOf(response)).toMatchObject({ code, errors: [{ parameter }] });
    }
  });
});
