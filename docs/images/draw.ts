/**
 * Makes the pictures of docs/images.md: draws an original, uploads it to a store, and asks for each query that the page
 * shows. Run it after a change of the page or of the renderer: `bun docs/images/draw.ts`.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { createApp } from "../../src/app.ts";
import { parseConfig } from "../../src/config.ts";

const docs = join(import.meta.dir, "..");

const BOAT = `<svg xmlns="http://www.w3.org/2000/svg" width="480" height="320">
  <rect width="480" height="320" fill="#f9c784"/>
  <circle cx="330" cy="110" r="45" fill="#f7f0c6"/>
  <path d="M0 190 90 90 170 160 250 110 360 190 480 150V220H0Z" fill="#7d5ba6"/>
  <rect y="190" width="480" height="130" fill="#35618f"/>
  <path d="M280 215h100M300 235h60M290 260h80" stroke="#f7f0c6" stroke-width="4"/>
  <path d="M120 100v95h-60Z" fill="#d7263d"/>
  <path d="M126 115v80h40Z" fill="#fff"/>
  <path d="M60 205h125l-20 28h-85Z" fill="#5b3a29"/>
</svg>`;

const data = await mkdtemp(join(tmpdir(), "image-store-pictures-"));
try {
  const env = { IMAGE_STORE_DATA: data, IMAGE_STORE_PORT: "0", IMAGE_STORE_MIN_FREE: "0" };
  await using app = await createApp(parseConfig({ env, readFile: () => "" }));
  const request = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${app.url}/v1/albums/${path}`, init);
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return response.bytes();
  };
  const original = await sharp(Buffer.from(BOAT)).png({ palette: true }).toBuffer();
  await Bun.write(join(docs, "images/boat.png"), original);
  await request("docs", { method: "PUT", headers: { "Content-Type": "application/json" }, body: "{}" });
  await request("docs/images/boat.png/content", { method: "PUT", body: new Uint8Array(original) });

  const page = await Bun.file(join(docs, "images.md")).text();
  for (const [, query = "", file = ""] of page.matchAll(/^\| `\?(\S+)` \| !\[.*\]\((images\/\S+)\) \|$/gm)) {
    const format = query.includes("format=") ? "" : "&format=jpeg";
    await Bun.write(join(docs, file), await request(`docs/images/boat.png/content?${query}${format}`));
  }
} finally {
  await rm(data, { recursive: true, force: true });
}
