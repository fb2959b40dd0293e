import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import sharp from "sharp";
import { LADDER } from "../../../src/domain/variant-presets.ts";
import { VARIANT_PARAMETERS } from "../../../src/domain/variant-query.ts";
import { bytesOf, startVariantStore, upload } from "./variant-store.ts";

const { store, album, get } = await startVariantStore();
afterAll(() => store[Symbol.asyncDispose]());

describe("docs/images.md", () => {
  const docs = join(import.meta.dir, "../../../docs");

  test("has pictures that the store makes of its own example", async () => {
    const page = await Bun.file(join(docs, "images.md")).text();
    const boat = await upload(store, album, "boat.png", await Bun.file(join(docs, "images/boat.png")).bytes());
    const shown = [...page.matchAll(/^\| `\?(\S+)` \| !\[.*\]\((images\/\S+)\) \|$/gm)];
    expect(shown).toHaveLength(10);
    for (const [, query, file = ""] of shown) {
      const response = await get(`${boat.links.self}/content?${query}`);
      const picture = await sharp(join(docs, file)).metadata();
      const { width, height } = await sharp(await bytesOf(response)).metadata();
      expect({ query, width, height }).toEqual({ query, width: picture.width, height: picture.height });
    }
  });

  test("lists every parameter, preset and width", async () => {
    const page = await Bun.file(join(docs, "images.md")).text();
    const parameters = page.split("\n## ").find((section) => section.startsWith("Parameters")) ?? "";
    const rows = [...parameters.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, names = ""]) =>
      names.split(", "),
    );
    expect(rows.sort()).toEqual(VARIANT_PARAMETERS.map((name) => `\`${name}\``).sort());
    for (const width of LADDER) expect(page).toMatch(new RegExp(`\\b${width}\\b`));
  });
});
