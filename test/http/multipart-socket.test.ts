import { afterAll, describe, expect, test } from "bun:test";
import { randomInt } from "node:crypto";
import { randomImage } from "../faults/random-image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newAlbum } from "./image-fixtures.ts";
import { openSocket } from "./raw-socket.ts";

/** Bodies for each style of boundary. A run that is to find what these do not takes 2,000. */
const BODIES = Number(process.env["IMAGE_STORE_TEST_BODIES"] ?? 4);
const AT_ONCE = 4;
const MEBIBYTE = 1024 * 1024;

const pick = <Value>(values: readonly [Value, ...Value[]]): Value => values[randomInt(values.length)] ?? values[0];
const letters = (alphabet: string, length: number) =>
  Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join("");
const HEX = "0123456789abcdef";
const ALPHANUMERIC = `${HEX}ghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ`;

/** As the clients write them that people upload with. */
const styles: readonly (readonly [client: string, boundary: () => string])[] = [
  ["Chromium", () => `----WebKitFormBoundary${letters(ALPHANUMERIC, 16)}`],
  ["Firefox", () => `----geckoformboundary${letters(HEX, 32)}`],
  ["an older Firefox", () => `---------------------------${letters("0123456789", 29)}`],
  ["curl", () => `------------------------${letters(ALPHANUMERIC, 22)}`],
  ["Python's requests", () => letters(HEX, 32)],
  ["undici", () => `----formdata-undici-0${letters("0123456789", 11)}`],
  ["Go", () => letters(HEX, 60)],
  ["OkHttp", () => crypto.randomUUID()],
  ["the shortest there is", () => letters(ALPHANUMERIC, 1)],
  ["the longest there is", () => `${letters(`'()+_,-./:=? ${ALPHANUMERIC}`, 69)}x`],
];

/** Over 1 MiB of bytes that look like the end of a part in every way but one. */
function lookAlikes(boundary: string): Buffer {
  const delimiter = `\r\n--${boundary}`;
  const [last = "", before] = [delimiter.at(-1), delimiter.slice(0, -1)];
  const other = last === "!" ? "?" : "!";
  const pieces = [
    () => crypto.getRandomValues(Buffer.alloc(randomInt(1, 60_000))),
    () => Buffer.from(before + other, "latin1"),
    () => Buffer.from(before.repeat(randomInt(1, 50)) + other, "latin1"),
    () => Buffer.from(delimiter.slice(0, randomInt(1, delimiter.length)) + other, "latin1"),
    () => Buffer.from("\r\n--".repeat(randomInt(1, 20_000)) + other, "latin1"),
    () => Buffer.from(pick(["\r", "\n", "\r\n", "\r\r\n", "--", `--${boundary}`]) + other, "latin1"),
  ] as const;
  const all: Buffer[] = [];
  for (let size = 0; size < MEBIBYTE + randomInt(200_000); size += all.at(-1)?.length ?? 0) all.push(pick(pieces)());
  return Buffer.from(
    Buffer.concat(all)
      .toString("latin1")
      .replaceAll(delimiter, before + other),
    "latin1",
  );
}

interface Body {
  readonly bytes: Buffer;
  /** Where it is cut: between two of these the sender pauses. */
  readonly cuts: readonly number[];
  readonly digests: readonly string[];
}

function generate(boundary: string): Body {
  const images = Array.from({ length: randomInt(1, 4) }, () => randomImage(0, lookAlikes(boundary)));
  const parts = images.flatMap(({ bytes }, index) => [
    Buffer.from(
      `${index === 0 ? "" : "\r\n"}--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${crypto.randomUUID()}"\r\nContent-Type: image/png\r\n\r\n`,
      "latin1",
    ),
    bytes,
  ]);
  const bytes = Buffer.concat([...parts, Buffer.from(`\r\n--${boundary}--\r\n`, "latin1")]);
  return { bytes, cuts: cutsOf(bytes, boundary), digests: images.map(({ sha256 }) => sha256) };
}

/** At and around what a parser must look at twice, and most of all past the first mebibyte. */
function cutsOf(bytes: Buffer, boundary: string): readonly number[] {
  const delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
  const cuts = new Set<number>();
  const cut = (at: number) => at > 0 && at < bytes.length && cuts.add(at);
  for (let count = 0; count < 8; count++) {
    const target = pick([delimiter, delimiter.subarray(0, -1), Buffer.from("\r\n--")]);
    const found = bytes.indexOf(target, randomInt(bytes.length));
    if (found === -1) continue;
    // As a chunk of its own, whole or less its last byte; or anywhere near.
    const [start, end] = pick([
      [found, found + target.length],
      [found, found + delimiter.length - 1],
      [found + randomInt(-2, delimiter.length + 8), found + randomInt(-2, delimiter.length + 8)],
    ]);
    cut(start);
    cut(end);
  }
  for (let at = bytes.indexOf(delimiter, MEBIBYTE); at !== -1; at = bytes.indexOf(delimiter, at + 1)) {
    cut(at + randomInt(0, delimiter.length + 4));
  }
  return [...cuts].toSorted((one, other) => one - other);
}

async function upload(store: TestStore, album: string, boundary: string, body: Body) {
  using socket = await openSocket(store.port);
  await socket.send(
    [
      `POST ${album}/images HTTP/1.1`,
      "Host: localhost",
      "Connection: close",
      `Content-Type: multipart/form-data; boundary="${boundary}"`,
      `Content-Length: ${body.bytes.length}`,
      "\r\n",
    ].join("\r\n"),
  );
  for (const [index, end] of [...body.cuts, body.bytes.length].entries()) {
    await socket.send(body.bytes.subarray(index === 0 ? 0 : body.cuts[index - 1], end));
    // Long enough for the other side to see it alone, most of the time.
    await Bun.sleep(randomInt(3));
  }
  const received = await socket.waitForClose();
  return { head: received.split("\r\n", 1)[0], text: received.slice(received.indexOf("\r\n\r\n") + 4) };
}

interface Stored {
  readonly items: readonly { readonly sha256: string; readonly links: { readonly content: string } }[];
}

async function check(store: TestStore, album: string, makeBoundary: () => string): Promise<void> {
  const boundary = makeBoundary();
  const body = generate(boundary);
  const { head, text } = await upload(store, album, boundary, body);
  expect({ head, boundary, text: head?.includes("201") ? "" : text }).toEqual({
    head: "HTTP/1.1 201 Created",
    boundary,
    text: "",
  });
  const { items } = JSON.parse(text) as Stored;
  expect(items.map(({ sha256 }) => sha256)).toEqual([...body.digests]);
  const content = await (await store.fetch(items[0]?.links.content ?? "")).bytes();
  expect(new Bun.CryptoHasher("sha256").update(content).digest("hex")).toBe(body.digests[0] ?? "");
}

describe("a form of more than 1 MiB over a socket, split around bytes like a delimiter", () => {
  test.each(styles)(
    "with a boundary of %s is stored unchanged",
    async (_client, makeBoundary) => {
      await using store = await startStore();
      const album = await newAlbum(store);
      let left = BODIES;
      const work = async () => {
        while (left-- > 0) await check(store, album, makeBoundary);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
    },
    60_000 + BODIES * 1000,
  );
});

describe("a form whose parser must hold bytes back", () => {
  const boundary = "----WebKitFormBoundary7MA4YWxkTrZu0gW";
  const opened = startStore();
  afterAll(async () => (await opened)[Symbol.asyncDispose]());

  async function expectStored(padding: Buffer, cutsAt: (bytes: Buffer) => readonly number[]) {
    const store = await opened;
    const album = await newAlbum(store);
    const { bytes: image, sha256 } = randomImage(0, padding);
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n`;
    const bytes = Buffer.concat([Buffer.from(head), image, Buffer.from(`\r\n--${boundary}--\r\n`)]);
    const { head: status, text } = await upload(store, album, boundary, { bytes, cuts: cutsAt(bytes), digests: [] });
    expect(status).toBe("HTTP/1.1 201 Created");
    expect((JSON.parse(text) as Stored).items.map((item) => item.sha256)).toEqual([sha256]);
    const { items } = await jsonOf<Stored>(await store.fetch(`${album}/images`));
    expect(items.length).toBe(1);
  }

  test("is stored when a chunk after 1 MiB ends one byte before a delimiter does", async () => {
    const nearly = Buffer.from(`\r\n--${boundary}`).subarray(0, -1);
    const padding = Buffer.concat([Buffer.alloc(1_100_000, "."), ...Array<Buffer>(20).fill(nearly), Buffer.alloc(99)]);
    await expectStored(padding, (bytes) => {
      const start = bytes.indexOf(nearly, MEBIBYTE);
      return Array.from({ length: 21 }, (_, index) => start + index * nearly.length);
    });
  });

  test("is stored with a million beginnings of a delimiter", async () => {
    await expectStored(Buffer.from("\r\n--".repeat(1_000_000)), (bytes) =>
      Array.from({ length: 10 }, (_, index) => 1_200_001 + index * Math.floor(bytes.length / 20)),
    );
  });
});
