import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { CONTENT_TYPES, type ImageFormat } from "../../src/domain/formats.ts";
import type { Image } from "../../src/domain/image.ts";
import { CORPORA, hasCorpora } from "../corpora.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { imageNames, newAlbum, putContent, storedBlobs } from "./image-fixtures.ts";

const filesIn = (folder: string): string[] =>
  hasCorpora ? [...new Glob("**/*").scanSync({ cwd: join(CORPORA, folder), onlyFiles: true })].sort() : [];
const bytesOf = (folder: string, path: string) => new Uint8Array(readFileSync(join(CORPORA, folder, path)));

/** What a file that is an image, or says that it is one, may be answered. */
const IMAGE_ANSWERS = new Set([
  "201",
  "415 unsupported_image",
  "422 invalid_image",
  "422 image_too_large",
  "400 empty_body",
]);
const BODY_ANSWERS = new Set([201, 400, 409, 413, 415, 422]);
const AT_ONCE = 8;

/** What any picture may be answered that is stored, and may be broken all the same. */
const VARIANT_ANSWERS = new Set(["200", "422 invalid_image", "503 busy"]);
/** Every file, or every so many. */
const VARIANTS_OF_EVERY = process.env["IMAGE_STORE_TEST_CORPORA"] === "all" ? 1 : 10;

interface Expected {
  readonly type: ImageFormat;
  readonly width: number;
  readonly height: number;
  readonly frames?: number;
}

const stored: Image[] = [];
let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());

/** Uploads every file, checks that what is stored is what was sent, and answers the record or the code of each. */
async function uploadAll(folder: string, to = store): Promise<Map<string, Image | string>> {
  const album = await newAlbum(to, folder.replace("/", " "));
  const outcomes = new Map<string, Image | string>();
  const paths = filesIn(folder);
  const upload = async (path: string) => {
    const bytes = bytesOf(folder, path);
    const response = await putContent(to, album, path.replaceAll("/", " "), bytes);
    if (response.status !== 201) {
      const { code } = await jsonOf<{ readonly code: string }>(response);
      outcomes.set(path, `${response.status} ${code}`);
      return;
    }
    const image = await jsonOf<Image>(response);
    const content = await to.fetch(image.links.content);
    expect({ path, same: Buffer.compare(new Uint8Array(await content.arrayBuffer()), bytes) }).toEqual({
      path,
      same: 0,
    });
    expect({ path, type: content.headers.get("content-type") }).toEqual({ path, type: image.contentType });
    outcomes.set(path, image);
    stored.push(image);
  };
  for (let at = 0; at < paths.length; at += AT_ONCE) await Promise.all(paths.slice(at, at + AT_ONCE).map(upload));
  const records = [...outcomes.values()].filter((outcome) => typeof outcome !== "string");
  expect((await imageNames(to, album)).length).toBe(records.length);
  return outcomes;
}

const answerOf = (outcome: Image | string | undefined): string =>
  typeof outcome === "string" ? outcome : outcome === undefined ? "nothing" : "201";

describe.skipIf(!hasCorpora)("the image corpora over HTTP", () => {
  test("valid files have the type, displayed size and frame count of the oracle", async () => {
    const expected = JSON.parse(readFileSync(join(CORPORA, "dimensions.json"), "utf8")) as Record<string, Expected>;
    const outcomes = await uploadAll("valid");
    expect(outcomes.size).toBeGreaterThan(Object.keys(expected).length);
    for (const [path, { type, ...dimensions }] of Object.entries(expected)) {
      const outcome = outcomes.get(path);
      expect({ path, answer: answerOf(outcome) }).toEqual({ path, answer: "201" });
      expect({ path, ...(outcome as Image) }).toMatchObject({ path, contentType: CONTENT_TYPES[type], ...dimensions });
    }
    for (const [path, outcome] of outcomes) {
      if (!IMAGE_ANSWERS.has(answerOf(outcome))) expect.unreachable(`${path}: ${answerOf(outcome)}`);
    }
  });

  test("unsupported files are 415", async () => {
    await using strict = await startStore({ ACCEPT_TIFF: "false" });
    const outcomes = await uploadAll("malformed/unsupported", strict);
    expect(outcomes.size).toBeGreaterThan(10);
    for (const [path, outcome] of outcomes) {
      expect({ path, answer: answerOf(outcome) }).toEqual({ path, answer: "415 unsupported_image" });
    }
    expect(await storedBlobs(strict)).toEqual([]);
  });

  test("malformed files are refused with a documented code, or stored and returned unchanged", async () => {
    const before = (await storedBlobs(store)).length;
    const outcomes = await uploadAll("malformed");
    expect(outcomes.size).toBeGreaterThan(1000);
    let created = 0;
    for (const [path, outcome] of outcomes) {
      const answer = answerOf(outcome);
      if (!IMAGE_ANSWERS.has(answer)) expect.unreachable(`${path}: ${answer}`);
      if (answer === "201") created++;
    }
    expect((await storedBlobs(store)).length).toBe(before + created);
    expect((await store.fetch("/readyz")).status).toBe(200);
  });

  test("every preset of every file is an image or a documented refusal", async () => {
    const images = stored.filter((_, index) => index % VARIANTS_OF_EVERY === 0);
    expect(images.length).toBeGreaterThan(50);
    const answers: Record<string, number> = {};
    const ask = async ({ name, links }: Pick<Image, "name" | "links">, preset: string): Promise<void> => {
      const response = await store.fetch(`${links.content}?preset=${preset}`);
      const type = response.headers.get("content-type");
      const code = type === "application/problem+json" ? ` ${(await jsonOf<{ code: string }>(response)).code}` : "";
      const answer = `${response.status}${code}`;
      // A busy machine gave the decoder too little time.
      if (answer === "503 unavailable") return ask({ name, links }, preset);
      if (!VARIANT_ANSWERS.has(answer)) expect.unreachable(`${name}, ${preset}: ${answer}`);
      if (response.status === 200) expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(0);
      answers[answer] = (answers[answer] ?? 0) + 1;
    };
    for (const image of images)
      await Promise.all(["thumb", "small", "medium", "large"].map((name) => ask(image, name)));
    expect(answers["200"]).toBeGreaterThan(images.length);
    expect((await store.fetch("/readyz")).status).toBe(200);
    if (VARIANTS_OF_EVERY === 1) console.log(`Variants of ${images.length} images: ${JSON.stringify(answers)}`);
  }, 1_800_000);
});

describe.skipIf(!hasCorpora)("the request body corpora over HTTP", () => {
  test("every multipart body is read or refused with a documented code", async () => {
    const folder = "http/multipart";
    const album = await newAlbum(store, folder.replace("/", " "));
    const paths = filesIn(folder);
    expect(paths.length).toBeGreaterThan(0);
    for (const path of paths) {
      const body = bytesOf(folder, path);
      const own = /^--([\x20-\x7e]{1,70})\r?$/m.exec(Buffer.from(body).toString("latin1"))?.[1];
      for (const boundary of new Set([own ?? "xxx", "xxx"])) {
        const response = await store.fetch(`${album}/images`, {
          method: "POST",
          headers: { "Content-Type": `multipart/form-data; boundary="${boundary.replaceAll(/["\\]/g, "\\$&")}"` },
          body,
        });
        if (!BODY_ANSWERS.has(response.status)) expect.unreachable(`${path}: ${response.status}`);
      }
    }
    expect((await store.fetch("/readyz")).status).toBe(200);
  });

  test("valid JSON is parsed and invalid JSON is 400", async () => {
    const folder = "http/json";
    const album = await newAlbum(store, folder.replace("/", " "));
    const paths = filesIn(folder);
    expect(paths.length).toBeGreaterThan(300);
    for (const path of paths) {
      // As it is, hardly any is a patch; as the value of a field that is not known, what parses is refused for the field.
      const text = bytesOf(folder, path);
      const bare = await store.fetch(album, {
        method: "PATCH",
        headers: { "Content-Type": "application/json" },
        body: text,
      });
      expect({ path, status: bare.status }).toEqual({
        path,
        status: bare.status === 200 && !path.startsWith("n_") ? 200 : 400,
      });
      const wrapped = await store.fetch(album, {
        method: "PATCH",
        headers: { "Content-Type": "application/json" },
        body: Buffer.concat([Buffer.from('{"unknown":'), text, Buffer.from("}")]),
      });
      const problem = await jsonOf<{ readonly errors?: readonly { readonly pointer?: string }[] }>(wrapped);
      expect({ path, status: wrapped.status }).toEqual({ path, status: 400 });
      const pointers = problem.errors?.map(({ pointer }) => pointer) ?? [];
      if (path.startsWith("y_") && !pointers.some((pointer) => pointer?.includes("__proto__"))) {
        expect({ path, pointers }).toEqual({ path, pointers: ["/unknown"] });
      }
      if (path.startsWith("n_")) expect({ path, pointers }).not.toEqual({ path, pointers: ["/unknown"] });
    }
  });
});
