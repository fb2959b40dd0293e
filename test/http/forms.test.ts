import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { formOf, imageNames, newAlbum, newImage, newPng, postForm, sha256, storedBlobs } from "./image-fixtures.ts";

let store: TestStore;
let album: string;
beforeAll(async () => {
  store = await startStore();
  album = await newAlbum(store, "forms");
});
afterAll(() => store[Symbol.asyncDispose]());

let made = 0;
const newName = (): string => `form ${++made}.png`;
const broken = () => Buffer.from("no image");

interface FileError {
  readonly part: number;
  readonly name: string;
  readonly code: string;
  readonly detail: string;
}
interface Refused {
  readonly code: string;
  readonly errors: readonly FileError[];
}
interface Outcomes {
  readonly items: readonly { readonly status: number; readonly image?: Image; readonly error?: FileError }[];
}

const fileOf = (bytes: Uint8Array<ArrayBuffer>, name: string) => new File([bytes], name);

/** In their order: text, or a file under the name "file". */
function form(...entries: readonly (readonly [field: string, text: string] | File)[]): FormData {
  const data = new FormData();
  for (const entry of entries) {
    if (entry instanceof File) data.append("file", entry);
    else data.append(entry[0], entry[1]);
  }
  return data;
}

const post = (
  data: FormData,
  { query = "", headers = {} }: { query?: string; headers?: Record<string, string> } = {},
) => store.fetch(`${album}/images${query}`, { method: "POST", body: data, headers });
const itemsOf = async (response: Response) => {
  expect(response.status).toBe(201);
  return (await jsonOf<{ items: readonly Image[] }>(response)).items;
};
const refusalsOf = ({ errors }: Refused) => errors.map(({ part, name, code }) => [part, name, code]);
const eventCount = async () =>
  (await jsonOf<{ items: unknown[] }>(await store.fetch("/v1/events?limit=1000"))).items.length;

describe("a text field of a form", () => {
  test.each(["before", "after"])("%s the file describes that file", async (place) => {
    const name = newName();
    const fields = [
      ["title", "The lake"],
      ["description", "at\r\ndawn"],
      ["tags", "lake, dawn ,lake,"],
      ["tags", "summer"],
      ["metadata", '{"camera":"old"}'],
      ["focalPoint", '{"x":0.25,"y":0.5}'],
      ["name", name],
    ] as const;
    const file = fileOf(newPng(), "other.png");
    const [image] = await itemsOf(await post(place === "before" ? form(...fields, file) : form(file, ...fields)));
    expect(image).toMatchObject({
      name,
      title: "The lake",
      description: "at\ndawn",
      tags: ["lake", "dawn", "summer"],
      metadata: { camera: "old" },
      focalPoint: { x: 0.25, y: 0.5 },
    });
  });

  test("describes every file without an own record, and cannot name several", async () => {
    const [one, two] = [newName(), newName()];
    const entries = [
      fileOf(newPng(), one),
      ["record", '{"title":"own","tags":[]}'],
      fileOf(newPng(), two),
      ["title", "all"],
      ["tags", "a,b"],
    ] as const;
    expect(await itemsOf(await post(form(...entries)))).toMatchObject([
      { name: one, title: "all", tags: ["a", "b"] },
      { name: two, title: "own", tags: [] },
    ]);
    const named = await post(form(fileOf(newPng(), newName()), fileOf(newPng(), newName()), ["name", "both"]));
    expect(named.status).toBe(400);
    expect(await jsonOf<object>(named)).toMatchObject({ code: "invalid_request", errors: [{ pointer: "/name" }] });
  });

  test("that is empty or unknown is ignored", async () => {
    const name = newName();
    const entries = [
      ["title", ""],
      ["name", ""],
      ["tags", " , "],
      ["csrf_token", "x".repeat(100_000)],
      ["type", "image/png"],
      ["filepond", "{}"],
      ["relativePath", "null"],
      ["constructor", "x"],
    ] as const;
    const [image] = await itemsOf(await post(form(...entries, fileOf(newPng(), name), ["submit", "Send"])));
    expect(image).toMatchObject({ name, title: null, tags: [], metadata: {} });
  });

  test("takes precedence over the file name", async () => {
    const taken = await newImage(store, album, newName());
    const name = newName();
    const [image] = await itemsOf(await post(form(fileOf(newPng(), taken.name), ["name", name])));
    expect(image?.name).toBe(name);
  });

  test("is covered by the Idempotency-Key", async () => {
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    const file = fileOf(newPng(), newName());
    const [image] = await itemsOf(await post(form(file, ["title", "one"]), { headers }));
    const again = await post(form(["title", "one"], file, ["other", "x"]), { headers });
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(await itemsOf(again)).toEqual([image as Image]);
    expect((await post(form(file, ["title", "two"]), { headers })).status).toBe(422);
  });
});

test("an empty file field is ignored", async () => {
  const name = newName();
  const response = await store.fetch(`${album}/images`, {
    method: "POST",
    headers: { "Content-Type": "multipart/form-data; boundary=X" },
    body: Buffer.concat([
      Buffer.from('--X\r\nContent-Disposition: form-data; name="second"; filename=""\r\n\r\n\r\n'),
      Buffer.from(`--X\r\nContent-Disposition: form-data; name="first"; filename="${name}"\r\n\r\n`),
      newPng(),
      Buffer.from("\r\n--X--\r\n"),
    ]),
  });
  expect((await itemsOf(response)).map((image) => image.name)).toEqual([name]);
});

describe("a form with invalid files", () => {
  test("reports each invalid file and stores nothing", async () => {
    const taken = await newImage(store, album, newName());
    const [good, bad, wrong, twice] = [newName(), newName(), newName(), newName()];
    const before = [await storedBlobs(store), await eventCount()];
    const response = await post(
      form(
        ["title", "x"],
        fileOf(newPng(), good),
        fileOf(broken(), bad),
        fileOf(newPng().subarray(0, 20), wrong),
        fileOf(newPng(), taken.name),
        ["record", '{"title":1}'],
        fileOf(newPng(), twice),
        fileOf(newPng(), good),
        fileOf(newPng(), "a/.."),
        new File([newPng()], newName(), { type: "text/plain" }),
      ),
    );
    expect(response.status).toBe(415);
    const refused = await jsonOf<Refused>(response);
    expect(refused.code).toBe("unsupported_image");
    expect(refusalsOf(refused)).toEqual([
      [2, bad, "unsupported_image"],
      [3, wrong, "invalid_image"],
      [4, taken.name, "image_exists"],
      [6, twice, "invalid_request"],
      [7, good, "invalid_request"],
      [8, "..", "invalid_name"],
      [9, expect.any(String) as unknown as string, "unsupported_media_type"],
    ]);
    expect(refused.errors.every(({ detail }) => detail.length > 0)).toBe(true);
    expect([await storedBlobs(store), await eventCount()]).toEqual(before);
  });

  test("reports both of two taken names", async () => {
    const taken = [await newImage(store, album, newName()), await newImage(store, album, newName())];
    const names = [newName(), ...taken.map(({ name }) => name)];
    for (const headers of [{}, { "Idempotency-Key": crypto.randomUUID() }]) {
      const response = await postForm(
        store,
        album,
        formOf(Object.fromEntries(names.map((n) => [n, newPng()]))),
        headers,
      );
      expect(response.status).toBe(409);
      expect(refusalsOf(await jsonOf<Refused>(response))).toEqual([
        [1, names[1] ?? "", "image_exists"],
        [2, names[2] ?? "", "image_exists"],
      ]);
    }
  });

  test("of more than 1 MiB is read up to the first invalid file only", async () => {
    const [bad, last] = [newName(), newName()];
    const files = [fileOf(newPng(1_200_000), newName()), fileOf(broken(), bad), fileOf(newPng(600_000), newName())];
    const response = await post(form(...files, fileOf(broken(), last)));
    expect(response.status).toBe(415);
    expect(refusalsOf(await jsonOf<Refused>(response))).toEqual([[1, bad, "unsupported_image"]]);
  });
});

describe("a form with onError=continue", () => {
  const query = "?onError=continue";

  test("stores the valid files as one change and reports each file with 207", async () => {
    const path = await newAlbum(store);
    const taken = await newImage(store, path, newName());
    const [one, bad, two] = [newName(), newName(), newName()];
    const before = await eventCount();
    const png = newPng(1_500_000);
    const response = await store.fetch(`${path}/images${query}`, {
      method: "POST",
      body: form(
        fileOf(png, one),
        fileOf(broken(), bad),
        fileOf(newPng(), taken.name),
        ["title", "all"],
        fileOf(newPng(), two),
      ),
    });
    expect(response.status).toBe(207);
    const { items } = await jsonOf<Outcomes>(response);
    expect(items).toMatchObject([
      { status: 201, image: { name: one, title: "all", sha256: sha256(png) } },
      { status: 415, error: { part: 1, name: bad, code: "unsupported_image" } },
      { status: 409, error: { part: 2, name: taken.name, code: "image_exists" } },
      { status: 201, image: { name: two, title: "all" } },
    ]);
    expect((await imageNames(store, path)).toSorted()).toEqual([one, taken.name, two].toSorted());
    expect(await eventCount()).toBe(before + 2);
    expect((await storedBlobs(store)).length).toBeGreaterThan(0);
  });

  test("is 201 when all files are stored, and the first error when none is", async () => {
    const names = [newName(), newName()];
    const all = await post(form(...names.map((name) => fileOf(newPng(), name))), { query });
    expect((await itemsOf(all)).map(({ name }) => name)).toEqual(names);
    const none = await post(form(fileOf(broken(), newName()), fileOf(newPng(), names[0] ?? "")), { query });
    expect(none.status).toBe(415);
    expect(refusalsOf(await jsonOf<Refused>(none)).map(([part, , code]) => [part, code])).toEqual([
      [0, "unsupported_image"],
      [1, "image_exists"],
    ]);
  });

  test("is replayed under an Idempotency-Key", async () => {
    const headers = { "Idempotency-Key": crypto.randomUUID() };
    const taken = await newImage(store, album, newName());
    const files = [fileOf(newPng(), newName()), fileOf(newPng(), taken.name), fileOf(broken(), newName())];
    const first = await post(form(...files), { query, headers });
    expect(first.status).toBe(207);
    const before = await eventCount();
    const again = await post(form(...files), { query, headers });
    expect(again.status).toBe(207);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(await jsonOf<Outcomes>(again)).toEqual(await jsonOf<Outcomes>(first));
    expect(await eventCount()).toBe(before);
    const other = await post(form(fileOf(newPng(), newName()), ...files.slice(1)), { query, headers });
    expect(other.status).toBe(422);
  });

  test("is refused as a whole when the body cannot be parsed", async () => {
    const before = await storedBlobs(store);
    const encoded = new Response(form(fileOf(newPng(), newName()), fileOf(newPng(), newName())));
    const body = (await encoded.bytes()).subarray(0, -10);
    const headers = { "Content-Type": encoded.headers.get("content-type") ?? "" };
    const response = await store.fetch(`${album}/images${query}`, { method: "POST", body, headers });
    expect(response.status).toBe(400);
    expect((await jsonOf<Refused>(response)).code).toBe("invalid_request");
    expect(await storedBlobs(store)).toEqual(before);
  });
});
