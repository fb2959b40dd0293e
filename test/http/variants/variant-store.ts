import { expect } from "bun:test";
import sharp from "sharp";
import type { Image } from "../../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "../harness.ts";
import { newAlbum, newImage } from "../image-fixtures.ts";
import { testKeys } from "../test-keys.ts";

const svg = (width: number, height: number, content: string) =>
  Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${content}</svg>`);
export const stripes = (width: number, height: number, colours: readonly string[]) =>
  sharp(
    svg(
      width,
      height,
      colours
        .map((colour, index) => {
          const share = width / colours.length;
          return `<rect x="${index * share}" width="${share}" height="${height}" fill="${colour}"/>`;
        })
        .join(""),
    ),
  );

/** Red, green and blue beside one another. */
export const PHOTO = await stripes(600, 400, ["#f00", "#0f0", "#00f"]).jpeg({ quality: 90 }).toBuffer();
/** A black disc on nothing. */
const LOGO = await sharp(svg(300, 200, '<circle cx="150" cy="100" r="50"/>'))
  .png()
  .toBuffer();
const frame = (red: number) => Buffer.alloc(80 * 60 * 3, Buffer.from([red, 0, 0]));
const CLIP = await sharp(Buffer.concat([0, 128, 255].map(frame)), {
  raw: { width: 80, height: 180, channels: 3, pageHeight: 60 },
})
  .gif({ delay: [50, 50, 50], loop: 0 })
  .toBuffer();

/** A picture that compresses badly. */
export const noise = (width: number, height: number) =>
  sharp({
    create: {
      width,
      height,
      channels: 3,
      background: "#888",
      noise: { type: "gaussian", mean: 128, sigma: 60 },
    },
  });

export const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());
export const upload = (store: TestStore, album: string, name: string, bytes: Uint8Array) =>
  newImage(store, album, name, new Uint8Array(bytes));

export async function rendersOf(store: TestStore, wanted?: string): Promise<number> {
  const metrics = await (await store.fetch("/metrics")).text();
  const counts = metrics.matchAll(
    /renderer_operation_duration_seconds_count\{operation="render",outcome="(\w+)"\} (\d+)/g,
  );
  return [...counts].reduce(
    (sum, [, outcome, count]) => sum + (outcome === (wanted ?? outcome) ? Number(count) : 0),
    0,
  );
}

export const { API_KEYS, bearer } = testKeys({
  reader: "read",
  artist: "read+transform+share",
  boss: "read+write+delete",
});

export async function startWithKeys(env: Readonly<Record<string, string>>) {
  const keyed = await startStore({ API_KEYS, ...env });
  await keyed.send("POST", "/v1/albums", { name: "a" }, bearer("boss"));
  const response = await keyed.fetch("/v1/albums/a/images/b.jpg/content", {
    method: "PUT",
    body: PHOTO,
    headers: bearer("boss"),
  });
  const { links } = await jsonOf<Image>(response);
  const version = (await keyed.fetch(`${links.content}?w=160`, { headers: bearer("reader") })).status;
  expect(version).toBe(200);
  return { keyed, links };
}

/** The version of the renderer, as the store reports it to a client that asks for another. */
export async function versionOf(
  of: TestStore,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const response = await of.fetch(`${path}?w=160&v=none`, { headers });
  expect([response.status, response.headers.get("cache-control")]).toEqual([404, "no-store"]);
  const { present } = await jsonOf<{ present: string }>(response);
  return present;
}

export const locationOf = (response: Response) => response.headers.get("content-location");

/** A store with a photo, a logo and an animation in one album. */
export async function startVariantStore() {
  const store = await startStore();
  const album = await newAlbum(store);
  const photo = await upload(store, album, "stripes.jpg", PHOTO);
  const logo = await upload(store, album, "logo", LOGO);
  const clip = await upload(store, album, "clip.gif", CLIP);
  const content = `${photo.links.self}/content`;
  const get = (path: string, headers: Readonly<Record<string, string>> = {}) => store.fetch(path, { headers });

  return { store, album, photo, logo, clip, content, get };
}
