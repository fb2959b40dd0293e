import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { openDiskBlobs } from "../../src/adapters/blobs/disk.ts";
import { openSqliteCatalog } from "../../src/adapters/catalog/sqlite.ts";
import { checkStore, type Finding } from "../../src/cli/check/check-store.ts";
import { LOCAL } from "../../src/domain/caller.ts";
import { StoreError } from "../../src/domain/errors.ts";
import { createRunningKeys } from "../../src/operations/idempotency.ts";
import type { IncomingImage } from "../../src/operations/stage-images.ts";
import { type UploadDeps, uploadImages } from "../../src/operations/upload.ts";
import { createUploadSlots } from "../../src/operations/upload-slots.ts";
import type { BlobStore, Catalog } from "../../src/ports.ts";
import { finishAlbumDeletions } from "../../src/workers/album-deletion.ts";
import { claimUnrecorded } from "../../src/workers/claim-unrecorded.ts";
import { compactBlobs } from "../../src/workers/compact.ts";
import { sweepCondemned } from "../../src/workers/sweep.ts";
import { failTest } from "../adapters/catalog/open-sqlite.ts";
import { contentBytes, patterned, sha256 } from "../blobs.ts";
import { albumNamed, JPEG } from "../catalog-changes.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";

const CLIENTS = 6;
const TURNS = 30;
const HOUR = 3_600_000;
/** Far below the time that an upload takes. */
const GRACE = 0;
const UNSUPPORTED = 13;

const onFailure = (error: unknown) => {
  throw error;
};

test("concurrent uploads, deletions, sweeps and checks lose nothing and leave nothing", async () => {
  const folder = await newFolder("together");
  try {
    await using catalog = await openSqliteCatalog({
      path: join(folder, "catalog.sqlite"),
      exclusive: true,
      onFatal: failTest,
    });
    const openBlobs = (recover: boolean) =>
      openDiskBlobs({
        folder: join(folder, "blobs"),
        minFree: 0,
        recover,
        // Small, so that they are full, mostly dead and compacted all the time.
        segmentBytes: 64 * 1024,
        cacheBytes: 256 * 1024,
      });
    await using blobs = await openBlobs(true);
    await using checkedBlobs = await openBlobs(false);
    await using checkedCatalog = await openSqliteCatalog({
      path: join(folder, "catalog.sqlite"),
      exclusive: false,
      writer: "inline",
      onFatal: failTest,
    });
    const sweep = async () => {
      await finishAlbumDeletions({ catalog });
      await claimUnrecorded({ catalog, blobs }, { grace: GRACE, onFailure });
      await sweepCondemned({ catalog, blobs }, { grace: GRACE, onFailure });
    };

    const counted = { moves: 0 };
    const done = new AbortController();
    const untilDone = async (pause: number, work: () => Promise<unknown>) => {
      while (!done.signal.aborted) {
        await work();
        await Bun.sleep(pause);
      }
    };
    const background = [
      untilDone(1, sweep),
      untilDone(1, () =>
        compactBlobs({ catalog: countingMoves(catalog, (moves) => void (counted.moves += moves)), blobs }, done.signal),
      ),
      untilDone(5, () => readAsClients({ catalog, blobs })),
      // As by a process of its own: it knows nothing of what is on its way.
      untilDone(100, async () => expect(await damageIn(checkedCatalog, slowBlobs(checkedBlobs))).toEqual([])),
    ];
    const expected: string[] = [];
    // Where the clients have ended before compaction had its turn, there are more of them.
    for (let round = 0; counted.moves <= 10; round++) {
      const names = Array.from({ length: CLIENTS }, (_, index) => `client ${round}.${index}`);
      expected.push(...(await Promise.all(names.map((name) => runClient({ catalog, blobs }, name)))).flat());
    }
    done.abort();
    await Promise.all(background);

    await Bun.sleep(2);
    await sweep();
    const { items } = await catalog.images({ visibility: "all", orderBy: "name", limit: 1000 });
    expect(items.map(({ album, name, sha256: digest }) => `${album}/${name} ${digest}`).toSorted()).toEqual(
      expected.toSorted(),
    );
    for (const { id, size, sha256: digest } of items) {
      const location = (await catalog.imageById(id, "all"))?.location ?? "";
      expect(sha256(await contentBytes(await blobs.read(location, { size })))).toBe(digest);
    }
    expect(await Array.fromAsync(blobs.list())).toHaveLength(items.length);
    expect(await catalog.blobs({ limit: 1000 })).toHaveLength(items.length);
    expect(await readdir(join(folder, "blobs", "tmp"))).toEqual([]);
  } finally {
    await removeFolder(folder);
  }
});

const countingMoves = (catalog: Catalog, tell: (moves: number) => void): Pick<Catalog, "write"> => ({
  async write(change) {
    const result = await catalog.write(change);
    if (change.type === "moveBlobs") tell((result as { moved: readonly string[] }).moved.length);
    return result;
  },
});

/** What was looked up a moment ago is there, wherever it was moved meanwhile, unless its record went too. */
async function readAsClients({ catalog, blobs }: { catalog: Catalog; blobs: BlobStore }): Promise<void> {
  const { items } = await catalog.images({ visibility: "all", orderBy: "-updatedAt", limit: 20 });
  await Promise.all(
    items.map(async ({ id, size, sha256: digest }) => {
      const location = (await catalog.imageById(id, "all"))?.location;
      if (location === undefined) return;
      await Bun.sleep(3);
      try {
        expect(sha256(await contentBytes(await blobs.read(location, { size })))).toBe(digest);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        const now = await catalog.imageById(id, "all");
        // With no grace at all the bytes go with their record; another record has other bytes.
        if (now?.image.sha256 === digest && now.image.size === size && now.location === location) throw error;
      }
    }),
  );
}

/** Widens the moments in which something could go wrong. */
const slowBlobs = (blobs: BlobStore): BlobStore => ({
  ...blobs,
  async commit(staged) {
    const location = await blobs.commit(staged);
    await Bun.sleep(30);
    return location;
  },
  async read(location, what) {
    await Bun.sleep(5);
    return blobs.read(location, what);
  },
});

async function damageIn(catalog: Catalog, blobs: BlobStore): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const report = (finding: Finding) => void findings.push(finding);
  await checkStore({ catalog, blobs, grace: HOUR, progress: () => {}, report });
  // A copy is what compaction had made, and not yet named in the catalog, when the check began.
  return findings.filter(({ kind }) => kind !== "young" && kind !== "copy");
}

/** Works in an album of its own, one thing after another; answers what must be there at the end. */
async function runClient(
  { catalog, blobs }: { readonly catalog: Catalog; readonly blobs: BlobStore },
  name: string,
): Promise<readonly string[]> {
  const expected = new Map<string, string>();
  const ports: UploadDeps = {
    catalog,
    blobs: slowBlobs(blobs),
    prober: {
      probe: async (source) => {
        await Bun.sleep(1);
        if ("bytes" in source && source.bytes.length === UNSUPPORTED)
          throw new StoreError("unsupported_image", "As told.");
        return JPEG;
      },
    },
    runningKeys: createRunningKeys(),
    uploadSlots: createUploadSlots(CLIENTS),
    limits: { maxUpload: 100_000, maxFiles: 10 },
  };
  const upload = async (sizes: readonly number[]) => {
    const contents = sizes.map((size) => patterned(size));
    const images = contents.map((bytes, index) => incoming(`i${index}`, bytes));
    try {
      await uploadImages(ports, { caller: LOCAL, album: name, mode: "put", images });
      for (const [index, bytes] of contents.entries()) expected.set(`i${index}`, sha256(bytes));
    } catch (error) {
      expect((error as StoreError).code).toBe("unsupported_image");
    }
  };

  let album = albumNamed(name);
  await catalog.write(album);
  for (let turn = 0; turn < TURNS; turn++) {
    const size = 1000 + turn;
    if (turn % 10 === 9) {
      await catalog.write({
        type: "deleteAlbum",
        albumId: album.id,
        recursive: true,
        atOnce: turn % 20 === 9 ? 1 : 100,
      });
      expected.clear();
      album = albumNamed(name);
      await catalog.write(album);
    } else if (turn % 5 === 3) {
      await catalog.write({ type: "deleteImage", albumId: album.id, name: "i0" });
      expected.delete("i0");
    } else await upload(turn % 7 === 6 ? [size, UNSUPPORTED] : [size, size, size + 1]);
  }
  await upload([2000, 3000]);
  return Array.from(expected, ([image, digest]) => `${name}/${image} ${digest}`);
}

const incoming = (name: string, bytes: Uint8Array): IncomingImage => ({
  name,
  declaredType: undefined,
  bytes: slowly(bytes),
});

async function* slowly(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += 500) {
    await Bun.sleep(1);
    yield bytes.subarray(start, start + 500);
  }
}
