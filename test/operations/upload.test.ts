import { describe, expect, test } from "bun:test";
import { LOCAL } from "../../src/domain/caller.ts";
import type { Change, ChangeResult, PutImages } from "../../src/domain/change.ts";
import { type ErrorCode, StoreError } from "../../src/domain/errors.ts";
import type { ImageInfo, StoredImage } from "../../src/domain/image.ts";
import { createRunningKeys } from "../../src/operations/idempotency.ts";
import type { IncomingImage, StagedImages } from "../../src/operations/stage-images.ts";
import { type Upload, type UploadDeps, uploadImages } from "../../src/operations/upload.ts";
import { createUploadSlots } from "../../src/operations/upload-slots.ts";

const INFO: ImageInfo = { contentType: "image/png", width: 1, height: 1, frames: 1, hasAlpha: false, orientation: 1 };

type Step = "album" | "image" | "stage" | "probe" | "reserve" | "commit" | "write";

interface Failure {
  readonly step: Step;
  /** Which call of it fails, from 0. */
  readonly call?: number;
  readonly code: ErrorCode;
}

/** Ports that keep a log of what was asked of them, and fail where they are told to. */
function rig(failure?: Failure, present?: StoredImage, { shared = false } = {}) {
  const log: string[] = [];
  const calls = new Map<Step, number>();
  const changes: PutImages[] = [];
  const step = async (name: Step, detail: string) => {
    const call = calls.get(name) ?? 0;
    calls.set(name, call + 1);
    // As long as real work, so that what runs side by side does so here.
    await Bun.sleep(1);
    log.push(`${name} ${detail}`);
    if (failure?.step === name && (failure.call ?? 0) === call) throw new StoreError(failure.code, "As told.");
  };
  let staged = 0;
  const ports: UploadDeps = {
    catalog: {
      async album(name) {
        await step("album", name);
        return name === "none" ? undefined : ({ id: `id of ${name}` } as never);
      },
      async hasAnswered({ key }) {
        return key === "known";
      },
      recentQuotas: async () => [],
      quotas: async () => [],
      async image(_album, name) {
        await step("image", name);
        return present;
      },
      async write<C extends Change>(change: C): Promise<ChangeResult<C>> {
        if (change.type === "reserveBlobs") {
          await step("reserve", change.blobs.map(({ location }) => location).join());
          return null as never;
        }
        const { images } = change as unknown as PutImages;
        changes.push(change as unknown as PutImages);
        await step("write", images.map(({ blob }) => blob.location).join());
        return { replayed: false, value: [] } as never;
      },
    },
    blobs: {
      async stage(source) {
        let size = 0;
        for await (const chunk of source) size += chunk.length;
        const key = `k${staged++}`;
        await step("stage", key);
        const location = shared ? { location: `at ${key}` } : {};
        return { key, ...location, size, sha256: `digest of ${key}`, crc32: staged, source: { path: key } };
      },
      async commit({ key }) {
        await step("commit", key);
        return `at ${key}`;
      },
      async discard({ key }) {
        log.push(`discard ${key}`);
      },
      release(keys) {
        log.push(`release ${keys.join()}`);
      },
      async remove(location) {
        log.push(`remove ${location}`);
      },
    },
    prober: {
      async probe(source) {
        await step("probe", "path" in source ? source.path : "");
        return INFO;
      },
    },
    runningKeys: createRunningKeys(),
    uploadSlots: createUploadSlots(2),
    limits: { maxUpload: 100, maxFiles: 3 },
  };
  return { ports, log, changes };
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

const image = (name: string, more: Partial<IncomingImage> = {}): IncomingImage => ({
  name,
  declaredType: undefined,
  bytes: bytesOf("bytes"),
  ...more,
});
const images = (count: number) => Array.from({ length: count }, (_, index) => image(`image ${index}`));
const upload = (more: Partial<Upload> = {}): Upload => ({
  caller: LOCAL,
  album: "a",
  mode: "put",
  images: images(1),
  ...more,
});

const codeOf = async (promise: Promise<unknown>): Promise<unknown> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof StoreError ? error.code : error;
};

async function* brokenForm(): AsyncGenerator<IncomingImage> {
  yield image("one");
  throw new StoreError("invalid_request", "It ends too early.");
}

const idempotency = {
  scope: "s",
  key: "k",
  fingerprint: ({ images: staged }: StagedImages) => staged.map(({ name }) => name).join(),
};

describe("an upload", () => {
  test("stages, probes, commits, records, and then releases", async () => {
    const { ports, log, changes } = rig();
    const fields = { title: "T", description: null, metadata: {}, tags: [], focalPoint: null };
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await uploadImages(ports, upload({ images: [image("one", { fields }), image("two")], traceparent }));
    expect(log).toEqual([
      "album a",
      "stage k0",
      ...["stage k1", "probe k0", "probe k1"].toSorted(byPlaceIn(log)),
      "commit k0",
      "commit k1",
      "write at k0,at k1",
      "release k0,k1",
    ]);
    expect(changes).toEqual([
      {
        type: "putImages",
        by: { actor: { kind: "local", id: null, name: null }, albums: "all", shared: "all" },
        albumId: "id of a",
        mode: "put",
        images: [
          {
            id: expect.any(String),
            name: "one",
            fields,
            info: INFO,
            blob: { key: "k0", location: "at k0", size: 5, sha256: "digest of k0", crc32: 1 },
          },
          {
            id: expect.any(String),
            name: "two",
            info: INFO,
            blob: { key: "k1", location: "at k1", size: 5, sha256: "digest of k1", crc32: 2 },
          },
        ],
        traceparent,
      },
    ]);
  });

  test("finds the album before it reads a byte", async () => {
    const { ports, log } = rig();
    let read = false;
    async function* untouched(): AsyncGenerator<IncomingImage> {
      read = true;
      yield image("one");
    }
    for (const more of [{}, { idempotency }])
      expect(await codeOf(uploadImages(ports, upload({ album: "none", images: untouched(), ...more })))).toBe(
        "album_not_found",
      );
    expect({ log, read }).toEqual({ log: ["album none", "album none"], read: false });
  });

  test.each<[Failure, number, readonly string[]]>([
    [{ step: "stage", call: 1, code: "insufficient_storage" }, 3, ["discard k0"]],
    [{ step: "probe", call: 0, code: "unsupported_image" }, 1, ["discard k0"]],
    [{ step: "probe", call: 0, code: "invalid_image" }, 3, ["discard k0", "discard k1"]],
    [{ step: "probe", call: 2, code: "busy" }, 3, ["discard k0", "discard k1", "discard k2"]],
  ])("that fails at %o discards its staged bytes and records nothing", async (failure, count, ends) => {
    const { ports, log, changes } = rig(failure);
    expect(await codeOf(uploadImages(ports, upload({ images: images(count) })))).toBe(failure.code);
    expect(log.filter((line) => /^(discard|commit)/.test(line))).toEqual([...ends]);
    expect(changes).toEqual([]);
  });

  test("whose commit fails waits for the others, discards, releases, and records nothing", async () => {
    const { ports, log, changes } = rig({ step: "commit", call: 0, code: "unavailable" });
    expect(await codeOf(uploadImages(ports, upload({ images: images(3) })))).toBe("unavailable");
    expect(log.slice(-7)).toEqual([
      "commit k0",
      "commit k1",
      "commit k2",
      "discard k0",
      "discard k1",
      "discard k2",
      "release k0,k1,k2",
    ]);
    expect(changes).toEqual([]);
  });

  test.each<ErrorCode>(["unavailable", "image_exists", "busy", "insufficient_storage", "precondition_failed"])(
    "whose change fails with %s leaves its bytes to the sweeper",
    async (code) => {
      const { ports, log } = rig({ step: "write", code });
      expect(await codeOf(uploadImages(ports, upload({ images: images(2) })))).toBe(code);
      expect(log.filter((line) => line.startsWith("discard"))).toEqual([]);
      expect(log.at(-1)).toBe("release k0,k1");
    },
  );

  test("refuses a wrong declared type, equal names, too many files and an empty file, and leaves nothing", async () => {
    const refused: [ErrorCode, IncomingImage[]][] = [
      ["unsupported_image", [image("one"), image("two", { declaredType: "image/gif" })]],
      ["invalid_request", [image("one"), image("one")]],
      ["too_large", images(4)],
      ["empty_body", [image("one"), image("two", { bytes: bytesOf("") })]],
      ["invalid_request", [image("one", { fields: fieldsOver16KiB() })]],
    ];
    for (const [code, incoming] of refused) {
      const { ports, log, changes } = rig();
      expect(await codeOf(uploadImages(ports, upload({ images: incoming })))).toBe(code);
      const staged = log.filter((line) => line.startsWith("stage")).map((line) => line.replace("stage", "discard"));
      expect(log.filter((line) => line.startsWith("discard")).toSorted()).toEqual(staged);
      expect(changes).toEqual([]);
    }
  });

  test("discards when the client fails between two images", async () => {
    const { ports, log } = rig();
    expect(await codeOf(uploadImages(ports, upload({ images: brokenForm() })))).toBe("invalid_request");
    expect(log.slice(-2)).toEqual(["probe k0", "discard k0"]);
  });
});

/** After the bytes were received. */
const ends = (log: readonly string[]) => log.slice(log.findLastIndex((line) => line.startsWith("probe")) + 1);

describe("an upload to a shared store", () => {
  const shared = true;

  test("creates rows for its bytes before it sends any", async () => {
    const { ports, log, changes } = rig(undefined, undefined, { shared });
    await uploadImages(ports, upload({ images: images(2) }));
    expect(ends(log)).toEqual(["reserve at k0,at k1", "commit k0", "commit k1", "write at k0,at k1", "release k0,k1"]);
    expect(changes[0]?.images.map(({ blob }) => blob.reserved)).toEqual([true, true]);
  });

  test("sends nothing when the rows cannot be created", async () => {
    const { ports, log, changes } = rig({ step: "reserve", code: "unavailable" }, undefined, { shared });
    expect(await codeOf(uploadImages(ports, upload({ images: images(2) })))).toBe("unavailable");
    expect(ends(log)).toEqual(["reserve at k0,at k1", "discard k0", "discard k1", "release k0,k1"]);
    expect(changes).toEqual([]);
  });

  test("removes its bytes itself only when they were swept", async () => {
    for (const code of ["upload_expired", "unavailable", "busy", "image_exists"] as const) {
      const { ports, log } = rig({ step: "write", code }, undefined, { shared });
      expect(await codeOf(uploadImages(ports, upload({ images: images(2) })))).toBe(code);
      expect(log.filter((line) => line.startsWith("remove"))).toEqual(
        code === "upload_expired" ? ["remove at k0", "remove at k1"] : [],
      );
    }
  });

  test("reports that its bytes were swept also when it cannot remove them", async () => {
    const { ports } = rig({ step: "write", code: "upload_expired" }, undefined, { shared });
    const broken = { ...ports, blobs: { ...ports.blobs, remove: async () => Promise.reject(new Error("away")) } };
    expect(await codeOf(uploadImages(broken, upload()))).toBe("upload_expired");
  });
});

describe("conflicts that the change would find", () => {
  const present = { image: { sha256: "here" } } as StoredImage;
  const cases: [Partial<Upload>, StoredImage | undefined, ErrorCode | undefined][] = [
    [{ mode: "create" }, present, "image_exists"],
    [{ mode: "create" }, undefined, undefined],
    [{ mode: "put" }, present, undefined],
    [{ preconditions: { ifNoneMatch: "*" } }, present, "precondition_failed"],
    [{ preconditions: { ifNoneMatch: "*" } }, undefined, undefined],
    [{ preconditions: { ifNoneMatch: ["here"] } }, present, "precondition_failed"],
    [{ preconditions: { ifNoneMatch: ["other"] } }, present, undefined],
    [{ preconditions: { ifMatch: "*" } }, present, undefined],
    [{ preconditions: { ifMatch: "*" } }, undefined, "precondition_failed"],
    [{ preconditions: { ifMatch: ["other", "here"] } }, present, undefined],
    [{ preconditions: { ifMatch: ["other"] } }, present, "precondition_failed"],
    [{ preconditions: { ifMatch: [] } }, present, "precondition_failed"],
  ];
  test.each(cases)("%o with %o present: %p, before the body is read", async (more, there, code) => {
    const { ports, log, changes } = rig(undefined, there);
    expect(await codeOf(uploadImages(ports, upload(more)))).toBe(code);
    expect(log.some((line) => line.startsWith("stage"))).toBe(code === undefined);
    expect(changes.length).toBe(code === undefined ? 1 : 0);
  });

  test("are left to the change under an idempotency key, which may replay", async () => {
    const { ports, changes } = rig(undefined, present);
    await uploadImages(ports, upload({ mode: "create", images: images(2), idempotency }));
    expect(changes[0]?.idempotency).toEqual({ scope: "s", key: "k", fingerprint: "image 0,image 1" });
  });
});

test("a replay under a known idempotency key needs no album", async () => {
  const { ports, changes } = rig();
  const known = { scope: "s", key: "known" };
  await uploadImages(
    ports,
    upload({ album: "none", mode: "create", idempotency: { ...known, fingerprint: () => "f" } }),
  );
  expect(changes[0]).toMatchObject({ albumId: null, idempotency: { ...known, fingerprint: "f" } });
});

describe("concurrent uploads", () => {
  test("are limited, counted, and leave their slot however they end", async () => {
    const counts: number[] = [];
    let inFlight = 0;
    const gauge = { inc: () => counts.push(++inFlight), dec: () => counts.push(--inFlight) };
    const slots = createUploadSlots(2, gauge);
    const hold = () => {
      using first = slots.take();
      using second = slots.take();
      slots.take();
    };
    expect(hold).toThrow(new StoreError("busy", "Too many uploads are running. Try again soon."));
    slots.take()[Symbol.dispose]();
    expect(counts).toEqual([1, 2, 1, 0, 1, 0]);
  });

  test("under one idempotency key: one runs, the others are 409", async () => {
    const { ports } = rig();
    const codes = await Promise.all([1, 2].map(() => codeOf(uploadImages(ports, upload({ idempotency })))));
    expect(codes).toEqual([undefined, "request_in_progress"]);
  });
});

const fieldsOver16KiB = () => ({
  title: null,
  description: "\u{1f30a}".repeat(1000),
  metadata: Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`${index}`, "\n".repeat(60)])),
  tags: Array.from({ length: 64 }, (_, index) => `${index}${"\u{1f30a}".repeat(60)}`),
  focalPoint: null,
});

/** Two that run side by side may come in either order. */
function byPlaceIn(log: readonly string[]) {
  return (one: string, other: string) => log.indexOf(one) - log.indexOf(other);
}
