import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { StoreError } from "../../src/domain/errors.ts";
import { freeMemory } from "../../src/domain/free-memory.ts";
import { inlineDisposition, parseDisposition, parseParameters } from "../../src/http/disposition.ts";
import { readParts } from "../../src/http/multipart.ts";

interface ReadPart {
  readonly name: string;
  readonly fileName: string | undefined;
  readonly contentType: string | null;
  readonly text: string;
}

const collect = async (bytes: AsyncIterable<Uint8Array>) =>
  Buffer.from(await Bun.readableStreamToBytes(toStream(bytes)));
const toStream = (bytes: AsyncIterable<Uint8Array>) => new Response(bytes as never).body as ReadableStream<Uint8Array>;

async function* inChunks(body: Uint8Array, size: number) {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
}

async function parts(body: string | Uint8Array, boundary = "X", chunk = 1 << 20): Promise<ReadPart[]> {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const read: ReadPart[] = [];
  for await (const part of readParts(inChunks(bytes, chunk), boundary)) {
    read.push({
      name: part.name,
      fileName: part.fileName,
      contentType: part.contentType,
      text: (await collect(part.bytes)).toString("latin1"),
    });
  }
  return read;
}

const codeOf = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  return error instanceof StoreError ? error.code : error;
};

const crlf = (...lines: string[]) => lines.join("\r\n");
const fileLines = (name: string, text: string) => [
  "--X",
  `Content-Disposition: form-data; name="file"; filename="${name}"`,
  "Content-Type: image/png",
  "",
  text,
];

async function* broken(start: string) {
  yield Buffer.from(start);
  await Bun.sleep(1);
  throw new StoreError("too_large", "Enough.");
}

const readAll = async (start: string) => {
  for await (const part of readParts(broken(start), "X")) await collect(part.bytes);
};

describe("the multipart parser", () => {
  const two = crlf("preamble", ...fileLines("a.png", "one"), ...fileLines("b.png", ""), "--X--", "epilogue");

  test.each([1, 2, 3, 7, 64, 1 << 20])("gives the same result in chunks of %p bytes", async (chunk) => {
    expect(await parts(two, "X", chunk)).toEqual([
      { name: "file", fileName: "a.png", contentType: "image/png", text: "one" },
      { name: "file", fileName: "b.png", contentType: "image/png", text: "" },
    ]);
  });

  test("gives back any bytes in any chunks and reads", async () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 1000 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
      fc.nat({ max: 300_000 }).map((length) => ".".repeat(length)),
      fc.constantFrom("\r\n--", "\r\n--Y", "\r\n-", "--X", "\r\n\r\n", "-", "\r"),
    );
    const file = fc.record({
      text: fc.array(piece, { maxLength: 3 }).map((texts) => texts.join("")),
      read: fc.constantFrom("all", "some", "none"),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(file, { maxLength: 5 }),
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.boolean(),
        async (files, chunk, slow) => {
          const texts = files.map(({ text }) => `>${text}`.replaceAll("\r\n--X", "\r\n--Y"));
          const body = Buffer.from(crlf(...texts.flatMap((text) => fileLines("a", text)), "--X--", ""), "latin1");
          let index = 0;
          for await (const part of readParts(inChunks(body, Math.max(chunk, body.length >> 8)), "X")) {
            if (slow) await Bun.sleep(0);
            const { read } = files[index] ?? { read: "none" };
            if (read === "all") expect((await collect(part.bytes)).toString("latin1") === texts[index]).toBe(true);
            if (read === "some") for await (const _ of part.bytes) break;
            index++;
          }
          expect(index).toBe(files.length);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("gives back the bytes when split anywhere around a delimiter, and frees what was read", async () => {
    const delimiter = "\r\n--------boundary";
    const near = delimiter.slice(0, -1);
    const content = `${".".repeat(1 << 16)}${near}${near}!\r\n${delimiter.slice(0, 7)}\r${delimiter.toUpperCase()}\r`;
    const headers = crlf('Content-Disposition: form-data; name="file"; filename="a.png"', "", "");
    const body = Buffer.from(
      `${delimiter.slice(2)}\r\n${headers}${content}${delimiter}\r\n${headers}${near}${delimiter}--`,
    );
    const expected = new Bun.CryptoHasher("sha256").update(content).digest("hex");
    const start = body.indexOf("\r");
    for (let at = body.indexOf(near, start + 1) - 2; at < body.length; at++) {
      for (const length of [1, near.length, delimiter.length]) {
        const cuts = [0, at, Math.min(at + length, body.length), body.length];
        const chunks = async function* () {
          // Each has memory of its own, as the runtime's have.
          for (const [index, end] of cuts.slice(1).entries()) yield Uint8Array.from(body.subarray(cuts[index], end));
        };
        const digests: string[] = [];
        for await (const part of readParts(chunks(), delimiter.slice(4))) {
          const hasher = new Bun.CryptoHasher("sha256");
          for await (const chunk of part.bytes) {
            hasher.update(chunk);
            freeMemory(chunk);
          }
          digests.push(hasher.digest("hex"));
        }
        const second = new Bun.CryptoHasher("sha256").update(near).digest("hex");
        expect({ at, length, digests }).toEqual({ at, length, digests: [expected, second] });
      }
    }
  });

  test("reads its source only as fast as parts are read", async () => {
    let given = 0;
    async function* endless() {
      yield Buffer.from(crlf(...fileLines("a", "")));
      for (; given < 1000; given++) yield Buffer.alloc(64 * 1024);
      yield Buffer.from("\r\n--X--\r\n");
    }
    for await (const part of readParts(endless(), "X")) {
      const bytes = part.bytes[Symbol.asyncIterator]();
      await bytes.next();
      await Bun.sleep(20);
      expect(given).toBeLessThan(10);
      while (!(await bytes.next()).done);
    }
    expect(given).toBe(1000);
  });

  test("accepts a large preamble and unread parts", async () => {
    const body = Buffer.concat([
      Buffer.alloc(3_000_000, "."),
      Buffer.from(crlf("", ...fileLines("a", "x".repeat(500_000)), ...fileLines("b", "y".repeat(500_000)), "--X--")),
    ]);
    const names: (string | undefined)[] = [];
    for await (const part of readParts(inChunks(body, 1 << 16), "X")) names.push(part.fileName);
    expect(names).toEqual(["a", "b"]);
  });

  test("reads the source to its end, so checks at the end run", async () => {
    let ended = false;
    async function* body() {
      yield Buffer.from(two);
      await Bun.sleep(5);
      yield Buffer.from("more of the epilogue");
      ended = true;
    }
    for await (const _ of readParts(body(), "X"));
    expect(ended).toBe(true);
  });

  test("passes on an error of its source, between and inside parts", async () => {
    expect(await codeOf(readAll(crlf(...fileLines("a", "cut of"))))).toBe("too_large");
    expect(await codeOf(readAll(crlf(...fileLines("a", "whole"), "--X")))).toBe("too_large");
    expect(await codeOf(readAll(two))).toBe("too_large");
  });

  test.each([
    ["nothing", ""],
    ["no delimiter", "nothing of the kind"],
    ["another delimiter", crlf("--Y", "Content-Disposition: form-data; name=a", "", "x", "--Y--")],
    ["no end", crlf(...fileLines("a", "x"))],
    ["no end of the headers", crlf("--X", "Content-Disposition: form-data; name=a")],
    ["headers cut off by a delimiter", crlf("--X", "Content-Disposition: form-data", ...fileLines("a", "x"), "--X--")],
    ["headers cut off by the end", crlf("--X", "Content-Disposition: form-data; name=a", "--X--")],
    ["no headers", crlf("--X", "", "x", "--X--")],
    [
      "a longer delimiter",
      crlf(...fileLines("a", "x"), "--XY", "Content-Disposition: form-data; name=a", "", "", "--X--"),
    ],
    ["a line that is no header", crlf("--X", "Content-Disposition: form-data; name=a", "none", "", "x", "--X--")],
    ["a control character", crlf("--X", "Content-Disposition: form-data; name=a", "X: a\nb", "", "x", "--X--")],
    ["too many headers", crlf("--X", "Content-Disposition: form-data; name=a", ...Array(32).fill("X: a"), "", "--X--")],
    ["no Content-Disposition", crlf("--X", "Content-Type: image/png", "", "x", "--X--")],
    ["two Content-Dispositions", crlf("--X", ...Array(2).fill("Content-Disposition: form-data; name=a"), "", "--X--")],
    ["no form", crlf("--X", "Content-Disposition: attachment; name=a", "", "x", "--X--")],
    ["no name", crlf("--X", "Content-Disposition: form-data; filename=a", "", "x", "--X--")],
    [
      "headers too long",
      crlf("--X", `X: ${"x".repeat(9000)}`, "Content-Disposition: form-data; name=a", "", "x", "--X--"),
    ],
    [
      "base64",
      crlf("--X", "Content-Disposition: form-data; name=a", "Content-Transfer-Encoding: base64", "", "eA==", "--X--"),
    ],
  ])("refuses %s", async (_, body) => {
    for (const chunk of [1, 5, 1 << 20]) expect(await codeOf(parts(body, "X", chunk))).toBe("invalid_request");
  });

  test("accepts padded delimiters and folded headers", async () => {
    const disposition = ["Content-Disposition: form-data;", ' name="file";', '\tfilename="a.png"'];
    expect(await parts(crlf("--X \t", ...disposition, "", "one", "--X--  ", ""))).toEqual([
      { name: "file", fileName: "a.png", contentType: null, text: "one" },
    ]);
  });

  test("refuses a file name that is not UTF-8", async () => {
    const body = Buffer.from(crlf(...fileLines("\xff.png", "x"), "--X--"), "latin1");
    expect(await codeOf(parts(body))).toBe("invalid_name");
  });

  const corpora = process.env["IMAGE_STORE_CORPORA"] ?? join(import.meta.dir, "../../../shared/corpora");
  const folder = join(corpora, "http/multipart");
  test.skipIf(!existsSync(folder))("reads or refuses every body of the corpus, and never hangs", async () => {
    const names = readdirSync(folder);
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const body = readFileSync(join(folder, name));
      const boundary = /^--([^\r\n]{1,70})/m.exec(body.toString("latin1"))?.[1] ?? "X";
      for (const chunk of [1, 1 << 20]) {
        const outcome = await codeOf(parts(body, boundary, chunk));
        expect([undefined, "invalid_request", "invalid_name"]).toContain(outcome as string);
      }
    }
  });
});

const bytes = (text: string) => Buffer.from(text).toString("latin1");

describe("Content-Disposition of a part", () => {
  test.each([
    ['form-data; name="file"; filename="a.jpg"', "a.jpg"],
    ["form-data; name=file; filename=a.jpg", "a.jpg"],
    ['FORM-DATA ; NAME="file";FILENAME="a;b.jpg" ', "a;b.jpg"],
    ['form-data; name="file"; filename="öl 日本.jpg"', "öl 日本.jpg"],
    [String.raw`form-data; name="file"; filename="a\"b\\c.jpg"`, "c.jpg"],
    [String.raw`form-data; name="file"; filename="say \"hi\".jpg"`, 'say "hi".jpg'],
    [String.raw`form-data; name="file"; filename="C:\Users\me\a.jpg"`, "a.jpg"],
    ['form-data; name="file"; filename="../../etc/passwd"', "passwd"],
    ['form-data; name="file"; filename="folder/"', ""],
    ['form-data; name="file"; filename="100%25.jpg"', "100%25.jpg"],
    ['form-data; name="file"; filename="plain.jpg"; filename*=UTF-8\'\'%C3%B6l.jpg', "öl.jpg"],
    ["form-data; name=\"file\"; filename*=utf-8'de'a%2Fb.jpg", "b.jpg"],
    ['form-data; name="file"', undefined],
  ])("%s", (field, fileName) => {
    expect(parseDisposition(bytes(field))).toEqual({ name: "file", fileName });
  });

  test.each([
    ["form-data; name=\"file\"; filename*=UTF-8''%FF.jpg", "invalid_name"],
    ["form-data; name=\"file\"; filename*=UTF-8''%zz.jpg", "invalid_name"],
    ["form-data; name=\"file\"; filename*=latin1''a.jpg", "invalid_name"],
    ['form-data; name="file"; filename*=a.jpg', "invalid_name"],
    ['form-data; name="file"; name="other"', "invalid_request"],
    ['form-data; name="file', "invalid_request"],
    ['form-data; name="file" trailing', "invalid_request"],
    ["form-data; name", "invalid_request"],
    ["form-datax; name=a", "invalid_request"],
    ["form-data", "invalid_request"],
  ])("%s has the name %s", async (field, code) => {
    expect(await codeOf(Promise.try(() => parseDisposition(bytes(field))))).toBe(code);
  });

  test("ends soon with a result or an error, for any text", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(..."form-data;= \"\\'*%a/\t\u00ff".split("")), maxLength: 200 }),
        (text) => {
          try {
            parseDisposition(`form-data;${text}`);
          } catch (error) {
            expect(error).toBeInstanceOf(StoreError);
          }
        },
      ),
    );
  });
});

describe("Content-Disposition of a response", () => {
  test.each([
    ["a.jpg", `inline; filename="a.jpg"; filename*=UTF-8''a.jpg`],
    ['a"b\\c;d%41.jpg', `inline; filename="a_b_c_d_41.jpg"; filename*=UTF-8''a%22b%5Cc%3Bd%2541.jpg`],
    [
      "Öl (日本)'*.jpg",
      `inline; filename="_l ______.jpg"; filename*=UTF-8''%C3%96l%20%28%E6%97%A5%E6%9C%AC%29%27%2A.jpg`,
    ],
  ])("%s", (name, field) => {
    expect(inlineDisposition(name)).toBe(field);
  });

  test("is a valid header that gives the name back, for any name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (name) => {
        fc.pre(name.isWellFormed());
        const field = inlineDisposition(name);
        expect(field).toMatch(/^[\x20-\x7e]*$/);
        expect(() => new Headers({ "Content-Disposition": field })).not.toThrow();
        const extended = parseParameters(field)?.get("filename*") ?? "";
        expect(decodeURIComponent(extended.replace("UTF-8''", ""))).toBe(name);
      }),
    );
  });
});
