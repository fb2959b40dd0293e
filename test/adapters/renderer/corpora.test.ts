import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { prepareSharp } from "../../../src/adapters/renderer/decoder.ts";
import { createProber } from "../../../src/adapters/renderer/probe.ts";
import { probeWithSharp } from "../../../src/adapters/renderer/probe-with-sharp.ts";
import { readHeaders } from "../../../src/adapters/renderer/read-headers.ts";
import { StoreError } from "../../../src/domain/errors.ts";
import type { ImageInfo } from "../../../src/domain/image.ts";
import type { Prober } from "../../../src/ports.ts";
import { CORPORA, hasCorpora } from "../../corpora.ts";

const MAX_PIXELS = 50_000_000;

describe.skipIf(!hasCorpora)("the image corpora", () => {
  let renderer: Prober;
  beforeAll(() => {
    prepareSharp();
    renderer = createProber({ maxPixels: MAX_PIXELS, acceptTiff: true, children: 1 });
  });
  afterAll(async () => {
    // Other tests of this process make images too.
    sharp.unblock({ operation: ["VipsForeignLoad"] });
    await renderer[Symbol.asyncDispose]();
  });

  test("probe agrees with the oracle on every file", async () => {
    const dimensions = JSON.parse(readFileSync(join(CORPORA, "dimensions.json"), "utf8")) as Record<string, Known>;
    const entries = Object.entries(dimensions);
    expect(entries.length).toBeGreaterThan(200);
    for (const [name, { type, width, height, frames }] of entries) {
      const info = await renderer.probe(sourceOf(join(CORPORA, "valid", name)));
      const found: Record<string, unknown> = {
        name,
        type: info.contentType,
        width: info.width,
        height: info.height,
        frames: info.frames,
      };
      expect(found).toEqual({ name, type: `image/${type}`, width, height, frames: frames ?? info.frames });
    }
  });

  test("the header readers agree with the decoder wherever they answer", async () => {
    let plain = 0;
    for (const path of filesIn("valid")) {
      const { format, info } = readHeaders({ path });
      if (format === undefined || info === undefined) continue;
      plain++;
      expect({ path, info }).toEqual({ path, info: await probeWithSharp({ path, format, maxPixels: MAX_PIXELS }) });
    }
    expect(plain).toBeGreaterThan(200);
  });

  test("every file ends in a result or a documented error", async () => {
    const outcomes = new Map<string, number>();
    for (const path of filesIn(".")) {
      const outcome = await outcomeOf(renderer.probe(sourceOf(path)));
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (path.includes("/unsupported/") && !/\.tif$/i.test(path))
        expect({ path, outcome }).toEqual({ path, outcome: "unsupported_image" });
    }
    expect([...outcomes.keys()].toSorted()).toEqual(["image", "image_too_large", "invalid_image", "unsupported_image"]);
    expect(outcomes.get("image")).toBeGreaterThan(250);
  });
});

interface Known {
  readonly type: string;
  readonly width: number;
  readonly height: number;
  readonly frames?: number;
}

const outcomeOf = (probe: Promise<ImageInfo>): Promise<string> =>
  probe.then(
    () => "image",
    (error: unknown) => (error instanceof StoreError ? error.code : String(error)),
  );

const sourceOf = (path: string) => ({ path, size: statSync(path).size });

function filesIn(folder: string): string[] {
  const names = readdirSync(join(CORPORA, folder), { recursive: true }) as string[];
  return names.map((name) => join(CORPORA, folder, name)).filter((path) => statSync(path).isFile());
}
