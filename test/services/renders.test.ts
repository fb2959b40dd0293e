import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { createProber } from "../../src/adapters/renderer/probe.ts";
import { createRenderer } from "../../src/adapters/renderer/renderer.ts";
import { DEFAULT_PRESETS, parsePresets } from "../../src/config/presets.ts";
import { StoreError } from "../../src/domain/errors.ts";
import { VARIANT_FORMATS } from "../../src/domain/formats.ts";
import type { ImageInfo } from "../../src/domain/image.ts";
import { planRender } from "../../src/domain/render-plan.ts";
import type { RenderPlan } from "../../src/domain/variant.ts";
import type { Renderer } from "../../src/ports.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";

/** `IMAGE_STORE_TEST_CORPORA=all` takes every file instead of every tenth. */
const every = process.env["IMAGE_STORE_TEST_CORPORA"] === "all" ? 1 : 10;
/** `IMAGE_STORE_TEST_RENDERS=5000` for the long run. */
const renders = Number(process.env["IMAGE_STORE_TEST_RENDERS"] ?? 300);
const CORPORA = process.env["IMAGE_STORE_CORPORA"] ?? join(import.meta.dir, "../../../shared/corpora");
const isThere = existsSync(CORPORA);
if (!isThere) console.warn(`SKIPPED: the corpora are not in ${CORPORA} (IMAGE_STORE_CORPORA)`);

const TIME_LIMIT = 10_000;
const MAX_PIXELS = 50_000_000;
const MEMORY_LIMIT = 1_500_000_000;
const ALLOWED = new Set(["ok", "invalid_image", "image_too_large", "busy"]);
const never = new AbortController().signal;

let folder: string;
let renderer: Renderer;
beforeAll(async () => {
  folder = await newFolder("renders");
  renderer = createRenderer({
    maxPixels: MAX_PIXELS,
    exposeLocation: false,
    children: 1,
    timeLimit: TIME_LIMIT,
    memoryLimit: MEMORY_LIMIT,
  });
});
afterAll(async () => {
  await renderer[Symbol.asyncDispose]();
  await removeFolder(folder);
});

const outcomeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "ok",
    (error: unknown) => (error instanceof StoreError ? error.code : String(error)),
  );

describe.skipIf(process.platform !== "linux" || !isThere)("every default variant of the corpora", () => {
  test("is rendered or refused as documented, within time and memory limits", async () => {
    await using prober = createProber({ maxPixels: MAX_PIXELS, acceptTiff: true, children: 1 });
    const presets = [...parsePresets(DEFAULT_PRESETS).values()];
    const names = (readdirSync(CORPORA, { recursive: true }) as string[]).sort();
    const paths = names.map((name) => join(CORPORA, name)).filter((path) => statSync(path).isFile());
    const outcomes = new Map<string, number>();
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, ...childrenOfThis().map(({ resident }) => resident))), 50);
    for (const path of paths.filter((_, index) => index % every === 0)) {
      const probed = await prober.probe({ path }).catch(() => undefined);
      for (const picture of presets.flatMap((spec) => picturesOf(spec, probed))) {
        const target = join(folder, "picture");
        const start = performance.now();
        const outcome = await outcomeOf(renderer.render({ path }, picture, target, never));
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        const isQuick = performance.now() - start < 5 * TIME_LIMIT;
        expect({ path, outcome: ALLOWED.has(outcome) ? "allowed" : outcome, isQuick }).toEqual({
          path,
          outcome: "allowed",
          isQuick: true,
        });
        expect(await readdir(folder)).toEqual(outcome === "ok" ? ["picture"] : []);
        await rm(target, { force: true });
      }
    }
    clearInterval(watch);
    console.log(Object.fromEntries(outcomes), `most memory of a child: ${Math.round(most / 2 ** 20)} MiB`);
    expect(outcomes.get("ok")).toBeGreaterThan(paths.length / every / 5);
    expect(outcomes.get("invalid_image")).toBeGreaterThan(0);
    expect(most).toBeLessThan(MEMORY_LIMIT);
  }, 3_600_000);
});

type Spec = Parameters<typeof planRender>[0];

/** In the format of the original and in all others; of what the prober refuses, as if it had not. */
function picturesOf(spec: Spec, probed: ImageInfo | undefined): RenderPlan[] {
  const original = probed ?? {
    contentType: "image/webp",
    width: 4000,
    height: 3000,
    frames: 2,
    hasAlpha: true,
    orientation: 1,
  };
  const own = planRender(spec, { ...original, focalPoint: null }, []);
  if (own.kind !== "resized") return [own];
  const others = every === 1 ? VARIANT_FORMATS : VARIANT_FORMATS.slice(0, 1);
  return [own, ...others.filter((format) => format !== own.format).map((format) => ({ ...own, format }))];
}

describe.skipIf(process.platform !== "linux")("many renders", () => {
  test(`do not leak memory (${renders} renders)`, async () => {
    const originals = await Promise.all(ORIGINALS.map(({ image }) => image().toBuffer()));
    const presets = [...parsePresets(DEFAULT_PRESETS).values()];
    const samples: { readonly parent: number; readonly child: number }[] = [];
    for (let index = -WARMING_UP; index < renders; index++) {
      const which = Math.abs(index) % originals.length;
      const spec = presets[Math.abs(index) % presets.length] as Spec;
      const picture = planRender(spec, { ...(ORIGINALS[which] as (typeof ORIGINALS)[0]).info, focalPoint: null }, []);
      const format = VARIANT_FORMATS[Math.abs(index) % VARIANT_FORMATS.length] ?? "jpeg";
      const target = join(folder, String(index));
      const source = { bytes: originals[which] as Buffer };
      await renderer.render(source, picture.kind === "resized" ? { ...picture, format } : picture, target, never);
      await rm(target);
      const child = Math.max(0, ...childrenOfThis().map(({ resident }) => resident));
      if (index >= 0) samples.push({ parent: process.memoryUsage.rss(), child });
    }
    const part = Math.floor(renders / 5);
    for (const which of ["parent", "child"] as const) {
      const mean = (some: typeof samples): number => some.reduce((sum, sample) => sum + sample[which], 0) / some.length;
      const [first, last] = [mean(samples.slice(0, part)), mean(samples.slice(-part))];
      console.log(`${which}: ${Math.round(first / 2 ** 20)} MiB, at last ${Math.round(last / 2 ** 20)} MiB`);
      expect(last).toBeLessThan(first * 1.1);
    }
  }, 3_600_000);
});

/** Before anything is measured: code is compiled, and heaps are as large as they get to be. */
const WARMING_UP = 200;

function photo(width: number, height: number): Sharp {
  const pixels = Buffer.alloc(width * height * 3);
  for (let at = 0; at < pixels.length; at++) pixels[at] = ((at * 2_654_435_761) >>> 26) + ((at / 3) % width) / 10;
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

const plain = { frames: 1, hasAlpha: false, orientation: 1 } as const;
const large = { width: 1600, height: 1200, ...plain };
const small = { width: 300, height: 200, ...plain };
const ORIGINALS: readonly { readonly info: ImageInfo; readonly image: () => Sharp }[] = [
  { info: { contentType: "image/jpeg", ...large }, image: () => photo(1600, 1200).jpeg() },
  { info: { contentType: "image/jpeg", ...large }, image: () => photo(1600, 1200).jpeg({ progressive: true }) },
  { info: { contentType: "image/png", ...small }, image: () => photo(300, 200).png() },
  { info: { contentType: "image/webp", ...small }, image: () => photo(300, 200).webp() },
  { info: { contentType: "image/gif", ...small }, image: () => photo(300, 200).gif() },
];

interface ChildProcess {
  readonly pid: number;
  /** Bytes. */
  readonly resident: number;
}

function childrenOfThis(): ChildProcess[] {
  const text = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8").trim();
  return text.split(" ").map((pid) => ({ pid: Number(pid), resident: residentBytes(pid) }));
}

function residentBytes(pid: string): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
