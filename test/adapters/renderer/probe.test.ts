import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import sharp from "sharp";
import { createChildPool } from "../../../src/adapters/renderer/child-pool.ts";
import { prepareSharp } from "../../../src/adapters/renderer/decoder.ts";
import { createProber, type ProberOptions } from "../../../src/adapters/renderer/probe.ts";
import { probeWithSharp } from "../../../src/adapters/renderer/probe-with-sharp.ts";
import { readHeaders } from "../../../src/adapters/renderer/read-headers.ts";
import type { StoreError } from "../../../src/domain/errors.ts";
import type { ImageFormat } from "../../../src/domain/formats.ts";
import type { ImageInfo } from "../../../src/domain/image.ts";
import type { Prober } from "../../../src/ports.ts";
import { expectCode } from "../../errors.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { isRunning, until } from "../../waiting.ts";
import { fakeChildren } from "./fake-children.ts";

const MAX_PIXELS = 50_000_000;
let folder: string;
beforeAll(async () => {
  folder = await newFolder("probe");
});
afterAll(async () => {
  // Other tests of this process make images too.
  sharp.unblock({ operation: ["VipsForeignLoad"] });
  await removeFolder(folder);
});

const renderers: Prober[] = [];
afterEach(async () => {
  for (const renderer of renderers.splice(0)) await renderer[Symbol.asyncDispose]();
});

function newProber(options: Partial<ProberOptions> = {}): Prober {
  const renderer = createProber({ maxPixels: MAX_PIXELS, acceptTiff: true, children: 1, ...options });
  renderers.push(renderer);
  return renderer;
}

async function store(name: string, bytes: Uint8Array | string): Promise<{ path: string; size: number }> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return { path, size: bytes.length };
}

/** Begins like a JPEG, and the rest is for the decoder to judge. */
const unusual = (name: string) => store(name, Buffer.from([0xff, 0xd8, 0xff, 0x00, 0x00]));

const canvas = (channels: 3 | 4, width = 40, height = 30) =>
  sharp({ create: { width, height, channels, background: { r: 200, g: 30, b: 60, alpha: 0.5 } } });

/** Frames one below the other, each of another colour. */
function animation(frames: number) {
  const [width, height] = [40, 30];
  const pixels = Buffer.alloc(width * height * frames * 4);
  for (let pixel = 0; pixel < pixels.length / 4; pixel++) {
    const frame = Math.floor(pixel / (width * height));
    pixels.set([frame * 40, 255 - frame * 40, pixel % 251, 255], pixel * 4);
  }
  return sharp(pixels, { raw: { width, height: height * frames, channels: 4, pageHeight: height } });
}

const plain = { width: 40, height: 30, frames: 1, hasAlpha: false, orientation: 1 };
const turned = { width: 30, height: 40, orientation: 6 };
const CASES: readonly {
  name: ImageFormat;
  what: string;
  make: () => Promise<Buffer>;
  info: Partial<ImageInfo>;
  child?: true;
}[] = [
  { name: "jpeg", what: "baseline", make: () => canvas(3).jpeg().toBuffer(), info: {} },
  { name: "jpeg", what: "progressive", make: () => canvas(3).jpeg({ progressive: true }).toBuffer(), info: {} },
  {
    name: "jpeg",
    what: "turned",
    make: () => canvas(3).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
    info: turned,
  },
  { name: "jpeg", what: "with a profile", make: () => canvas(3).withIccProfile("p3").jpeg().toBuffer(), info: {} },
  { name: "jpeg", what: "grey", make: () => canvas(3).greyscale().jpeg().toBuffer(), info: {} },
  { name: "png", what: "opaque", make: () => canvas(3).png().toBuffer(), info: {} },
  { name: "png", what: "with alpha", make: () => canvas(4).png().toBuffer(), info: { hasAlpha: true } },
  {
    name: "png",
    what: "palette with alpha",
    make: () => canvas(4).png({ palette: true }).toBuffer(),
    info: { hasAlpha: true },
  },
  {
    name: "png",
    what: "turned",
    make: () => canvas(3).withMetadata({ orientation: 6 }).png().toBuffer(),
    info: turned,
    child: true,
  },
  { name: "webp", what: "lossy", make: () => canvas(3).webp().toBuffer(), info: {} },
  { name: "webp", what: "lossless", make: () => canvas(3).webp({ lossless: true }).toBuffer(), info: {} },
  { name: "webp", what: "lossy with alpha", make: () => canvas(4).webp().toBuffer(), info: { hasAlpha: true } },
  {
    name: "webp",
    what: "lossless with alpha",
    make: () => canvas(4).webp({ lossless: true }).toBuffer(),
    info: { hasAlpha: true },
  },
  {
    name: "webp",
    what: "turned",
    make: () => canvas(3).withMetadata({ orientation: 6 }).webp().toBuffer(),
    // Browsers show it as it is stored.
    info: {},
  },
  { name: "webp", what: "animated", make: () => animation(5).webp().toBuffer(), info: { frames: 5 }, child: true },
  { name: "gif", what: "still", make: () => canvas(3).gif().toBuffer(), info: { hasAlpha: true } },
  { name: "gif", what: "animated", make: () => animation(5).gif().toBuffer(), info: { frames: 5, hasAlpha: true } },
  { name: "avif", what: "still", make: () => canvas(3).avif({ effort: 0 }).toBuffer(), info: {}, child: true },
  {
    name: "tiff",
    what: "turned",
    make: () => canvas(3).withMetadata({ orientation: 6 }).tiff().toBuffer(),
    info: turned,
    child: true,
  },
];

describe("probe", () => {
  for (const { name, what, make, info, child = false } of CASES) {
    test(`${name}, ${what}: ${child ? "by the child" : "by both readers alike"}`, async () => {
      prepareSharp();
      const source = await store(`${name}-${what}`, await make());
      const expected = { ...plain, ...info, contentType: `image/${name}` } as ImageInfo;
      const headers = readHeaders(source);
      expect(headers.format).toBe(name);
      expect(await probeWithSharp({ path: source.path, format: name, maxPixels: MAX_PIXELS })).toEqual(expected);
      expect(headers.info).toEqual(child ? undefined : expected);
      expect(await newProber().probe(source)).toEqual(expected);
    });
  }

  test("bytes in no accepted format are unsupported_image, and the message lists the accepted formats", async () => {
    const renderer = newProber({ acceptTiff: false });
    const texts = {
      empty: "",
      short: "\xff",
      text: "hello, I am called .jpg",
      svg: "<svg xmlns='http://www.w3.org/2000/svg'/>",
    };
    for (const [name, text] of Object.entries(texts)) {
      const failed = renderer.probe(await store(name, Buffer.from(text, "latin1")));
      await expectCode(failed, "unsupported_image");
      expect(await failed.catch(String)).toContain("image/jpeg, image/png, image/webp, image/gif, image/avif");
    }
    const heic = await store("heic", Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic", "latin1"));
    await expectCode(renderer.probe(heic), "unsupported_image");
    await expectCode(renderer.probe(await store("bmp", "BM123456789012345678")), "unsupported_image");
  });

  test("a file that cannot be read is unavailable, not invalid", async () => {
    await expectCode(newProber().probe({ path: join(folder, "nowhere") }), "unavailable");
  });

  test("TIFF is accepted only where it is enabled", async () => {
    const source = await store("tiff", await canvas(3).tiff().toBuffer());
    expect((await newProber().probe(source)).contentType).toBe("image/tiff");
    await expectCode(newProber({ acceptTiff: false }).probe(source), "unsupported_image");
  });

  test("a broken header is invalid_image", async () => {
    const renderer = newProber();
    for (const { name, what, make } of CASES) {
      const bytes = await make();
      const cut = await store(`cut-${name}-${what}`, bytes.subarray(0, 24));
      await expectCode(renderer.probe(cut), "invalid_image");
    }
  });

  test("too many pixels, summed over frames, are image_too_large in both readers", async () => {
    const renderer = newProber({ maxPixels: 40 * 30 * 4 });
    for (const make of [
      () => animation(5).gif(),
      () => animation(5).webp(),
      () => canvas(3, 100, 100).avif({ effort: 0 }),
    ]) {
      await expectCode(renderer.probe(await store("large", await make().toBuffer())), "image_too_large");
    }
    const { path } = await store("large", await canvas(3, 100, 100).png().toBuffer());
    await expectCode(probeWithSharp({ path, format: "png", maxPixels: 9999 }), "image_too_large");
    expect(await renderer.probe(await store("fits", await animation(4).gif().toBuffer()))).toMatchObject({ frames: 4 });
  });

  test("damaged bytes end in a result or an error within bounded time", async () => {
    const originals = await Promise.all(CASES.map(({ make }) => make()));
    const damage = fc.record({
      original: fc.constantFrom(...originals),
      cut: fc.option(fc.nat()),
      changes: fc.array(fc.tuple(fc.nat({ max: 400 }), fc.nat({ max: 255 })), { maxLength: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ original, cut, changes }) => {
        const bytes = Buffer.from(original).subarray(0, cut === null ? undefined : cut % (original.length + 1));
        for (const [offset, value] of changes) if (offset < bytes.length) bytes[offset] = value;
        const { info } = readHeaders(await store("damaged", bytes));
        if (info === undefined) return;
        expect(info.width).toBeGreaterThan(0);
        expect(info.height).toBeGreaterThan(0);
        expect(info.frames).toBeGreaterThan(0);
        expect([1, 2, 3, 4, 5, 6, 7, 8]).toContain(info.orientation);
      }),
      { numRuns: 500 },
    );
  });

  test("the header readers accept nothing that the decoder refuses", async () => {
    const jpeg = await canvas(3).jpeg().toBuffer();
    const [tables, huffman, frame] = [0xdb, 0xc4, 0xc0].map((marker) => jpeg.indexOf(Buffer.from([0xff, marker])));
    const png = await canvas(3).png().toBuffer();
    const webp = await canvas(3).webp().toBuffer();
    const gif = await canvas(3).gif().toBuffer();
    const codeSize = gif.indexOf(0x2c, 13 + 3 * 2 ** ((at(gif, 10) & 7) + 1)) + 10;
    const broken: [ImageFormat, string, Buffer][] = [
      ["jpeg", "a marker of no use", inserted(jpeg, 2, "\xff\xf7\0\x02")],
      ["jpeg", "a quantisation table too many", changed(jpeg, (tables ?? 0) + 4, 4)],
      ["jpeg", "a Huffman table of no class", changed(jpeg, (huffman ?? 0) + 4, 0x20)],
      ["jpeg", "no sampling", changed(jpeg, (frame ?? 0) + 11, 0)],
      ["png", "a critical chunk that nobody knows", inserted(png, 33, "\0\0\0\0ABCD\xdb\x17\x20\xa5")],
      ["png", "a chunk whose name is none", inserted(png, 33, "\0\0\0\0ab\0d\0\0\0\0")],
      ["webp", "a chunk longer than the file", changed(webp, 18, 0xff)],
      ["webp", "a partition longer than the chunk", changed(webp, 22, 0xff)],
      ["webp", "a frame that is not shown", changed(webp, 20, at(webp, 20) & ~0x10)],
      ["gif", "codes that are too long", changed(gif, codeSize, 12)],
    ];
    for (const [format, what, bytes] of broken) {
      const { path } = await store("broken", bytes);
      const refused = await probeWithSharp({ path, format, maxPixels: MAX_PIXELS }).catch(
        (error: StoreError) => error.code,
      );
      const { info } = readHeaders({ path });
      expect({ format, what, refused, info }).toEqual({ format, what, refused: "invalid_image", info: undefined });
    }
  });

  test("a header with endless blocks is left to the decoder", async () => {
    const subBlocks = Buffer.alloc(3_000_000, 1);
    const endless = Buffer.concat([Buffer.from("GIF89a\x01\0\x01\0\0\0\0\x21\xfe", "latin1"), subBlocks]);
    expect(readHeaders(await store("endless", endless))).toEqual({ format: "gif", info: undefined });
  });

  test("bytes whose signature and content disagree are unsupported_image", async () => {
    const { path } = await store("png-as-gif", await canvas(3).png().toBuffer());
    await expectCode(probeWithSharp({ path, format: "gif", maxPixels: MAX_PIXELS }), "unsupported_image");
  });
});

const at = (bytes: Buffer, offset: number): number => bytes.readUInt8(offset);
const changed = (bytes: Buffer, offset: number, value: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(value, offset);
  return copy;
};
const inserted = (bytes: Buffer, offset: number, text: string): Buffer =>
  Buffer.concat([bytes.subarray(0, offset), Buffer.from(text, "latin1"), bytes.subarray(offset)]);

const fine = () => unusual("fine");

describe("probe child processes", () => {
  const entry = join(import.meta.dir, "decoder-child.ts");

  test("a crash fails one request", async () => {
    const renderer = newProber({ entry });
    await expectCode(renderer.probe(await unusual("crash")), "invalid_image");
    expect(await renderer.probe(await fine())).toMatchObject({ width: 1 });
  });

  test("a child that hangs is killed, and the queued requests are answered", async () => {
    const renderer = newProber({ entry, wallLimit: 8000 });
    const hanging = renderer.probe(await unusual("hang"));
    const behind = renderer.probe(await fine());
    await expectCode(hanging, "unavailable");
    expect(await behind).toMatchObject({ width: 1 });
  });

  test.skipIf(process.platform !== "linux")("a child that takes too much memory is killed", async () => {
    const renderer = newProber({ entry, memoryLimit: 300 * 1024 * 1024 });
    await expectCode(renderer.probe(await unusual("grow")), "invalid_image");
    expect(await renderer.probe(await fine())).toMatchObject({ width: 1 });
  });

  test("a child that answers as it is killed gets no other image", async () => {
    using children = fakeChildren();
    const { started } = children;
    await using pool = createChildPool<string, string>({
      entry,
      children: 1,
      queue: 10,
      timeLimit: 10_000,
      wallLimit: 0,
      memoryLimit: Number.POSITIVE_INFINITY,
    });
    const overdue = pool.run("slow");
    const innocent = pool.run("fine");
    const [first] = started;
    first?.ipc({ ready: true });
    await Bun.sleep(250);
    first?.ipc({ result: "late" });
    first?.onExit();
    await expectCode(overdue, "unavailable");
    const [, second] = started;
    second?.ipc({ ready: true });
    second?.ipc({ result: "done" });
    expect(await innocent).toBe("done");
    expect(started.map(({ sent }) => sent as unknown)).toEqual([["slow"], ["fine"]]);
  });

  test("a child that does not start is unavailable, not an invalid image", async () => {
    const renderer = newProber({ entry: join(folder, "missing.ts") });
    await expectCode(renderer.probe(await fine()), "unavailable");
  });

  test("requests beyond the queue limit are too_busy", async () => {
    const renderer = newProber({ entry, queue: 2 });
    const source = await unusual("slow");
    const accepted = [renderer.probe(source), renderer.probe(source), renderer.probe(source)];
    await expectCode(renderer.probe(source), "busy");
    expect(await Promise.all(accepted)).toHaveLength(3);
  });

  test("children work in parallel up to their limit", async () => {
    await using pool = createChildPool<{ path: string }, ImageInfo>({
      entry,
      children: 2,
      queue: 10,
      timeLimit: 120_000,
      wallLimit: 120_000,
      memoryLimit: Number.POSITIVE_INFINITY,
    });
    const before = new Set(await childrenOf(process.pid));
    const jobs = Array.from({ length: 6 }, () => pool.run({ path: "slow" }));
    expect((await childrenOf(process.pid)).filter((pid) => !before.has(pid))).toHaveLength(2);
    expect(await Promise.all(jobs)).toHaveLength(6);
  });

  test("closing ends the children and the queued requests", async () => {
    const renderer = createProber({ maxPixels: MAX_PIXELS, acceptTiff: true, children: 1, entry });
    const source = await unusual("hang");
    const waiting = [renderer.probe(source), renderer.probe(source)];
    for (const probe of waiting) probe.catch(() => {});
    await renderer[Symbol.asyncDispose]();
    for (const probe of waiting) await expectCode(probe, "unavailable");
    await expectCode(renderer.probe(source), "unavailable");
  });

  test.skipIf(process.platform !== "linux")("children end with their parent, even when it is killed", async () => {
    const source = await store("avif", await canvas(3).avif({ effort: 0 }).toBuffer());
    const parentScript = await store(
      "parent.ts",
      `import { createProber } from ${JSON.stringify(join(import.meta.dir, "../../../src/adapters/renderer/probe.ts"))};
       const renderer = createProber({ maxPixels: 1e6, acceptTiff: true, children: 1 });
       await renderer.probe(${JSON.stringify(source)});
       console.log("probed");
       setInterval(() => {}, 1000);`,
    );
    const parent = Bun.spawn([process.execPath, parentScript.path], { stdout: "pipe", stderr: "inherit" });
    await parent.stdout.getReader().read();
    const children = await childrenOf(parent.pid);
    expect(children).toHaveLength(1);
    parent.kill("SIGKILL");
    await parent.exited;
    await until(() => !children.some(isRunning));
  });
});

async function childrenOf(parent: number): Promise<number[]> {
  const children: number[] = [];
  for (const pid of (await readdir("/proc")).map(Number).filter(Number.isInteger)) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    const [, ppid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (Number(ppid) === parent) children.push(pid);
  }
  return children;
}
