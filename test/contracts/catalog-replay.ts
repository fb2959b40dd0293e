import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Album, requireTextBounds } from "../../src/domain/album.ts";
import type { Change } from "../../src/domain/change.ts";
import { cloudEventJson, toCloudEvent } from "../../src/domain/event.ts";
import type { Exif, Image } from "../../src/domain/image.ts";
import { parseName } from "../../src/domain/names.ts";
import type { UndescribedImage } from "../../src/ports.ts";
import {
  albumNamed,
  blobOf,
  createAlbum,
  createImage,
  dataOf,
  describing,
  digest,
  imageNamed,
  loggedState,
  type OpenCatalog,
  type OpenedCatalog,
} from "../catalog-changes.ts";

export function replayContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  beforeEach(async () => {
    catalog = await open();
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  describe("events and changes", () => {
    test("replaying the log gives the same records as the listings", async () => {
      const albumName = fc.constantFrom("a", "b", "c");
      const imageName = fc.constantFrom("i", "j", "k");
      const title = fc.constantFrom(null, "x", "y");
      const step = fc.oneof(
        fc.record({ kind: fc.constant("createAlbum" as const), album: albumName }),
        fc.record({ kind: fc.constant("putAlbum" as const), album: albumName, title }),
        fc.record({ kind: fc.constant("renameAlbum" as const), album: albumName, name: albumName }),
        fc.record({ kind: fc.constant("deleteAlbum" as const), album: albumName, atOnce: fc.constantFrom(0, 1, 9) }),
        fc.record({
          kind: fc.constant("putImage" as const),
          album: albumName,
          name: imageName,
          content: fc.constantFrom("1", "2"),
        }),
        fc.record({ kind: fc.constant("updateImage" as const), album: albumName, name: imageName, title }),
        fc.record({ kind: fc.constant("renameImage" as const), album: albumName, name: imageName, other: imageName }),
        fc.record({
          kind: fc.constant("copyImage" as const),
          album: albumName,
          target: albumName,
          name: imageName,
          other: imageName,
        }),
        fc.record({
          kind: fc.constant("moveImage" as const),
          album: albumName,
          target: albumName,
          name: imageName,
          other: imageName,
        }),
        fc.record({ kind: fc.constant("deleteImage" as const), album: albumName, name: imageName }),
        fc.record({ kind: fc.constant("describeImage" as const), album: albumName, name: imageName }),
      );
      type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;
      const ids = new Map<string, string>();
      let present: readonly Image[] = [];
      let undescribed: readonly UndescribedImage[] = [];
      const changeOf = (each: Step): Change => {
        const albumId = ids.get(each.album) ?? Bun.randomUUIDv7();
        switch (each.kind) {
          case "createAlbum":
            return albumNamed(each.album);
          case "putAlbum":
            return {
              type: "putAlbum",
              id: albumId,
              name: each.album,
              fields: { title: each.title, description: null, metadata: {} },
            };
          case "renameAlbum":
            return { type: "updateAlbum", albumId, patch: { name: each.name } };
          case "deleteAlbum":
            return { type: "deleteAlbum", albumId, recursive: true, atOnce: each.atOnce };
          case "putImage":
            return {
              type: "putImages",
              albumId,
              mode: "put",
              images: [imageNamed(each.name, { blob: blobOf(each.content) })],
            };
          case "updateImage":
            return { type: "updateImage", albumId, name: each.name, patch: { title: each.title } };
          case "renameImage":
            return { type: "updateImage", albumId, name: each.name, patch: { name: each.other } };
          case "copyImage": {
            const original = present.find(({ album, name }) => album === each.album && name === each.name);
            const blob = blobOf(original?.sha256 === digest("2") ? "2" : "1");
            const copyOf = { imageId: original?.id ?? albumId, readable: "all", isNamed: true } as const;
            return {
              type: "putImages",
              albumId: ids.get(each.target) ?? Bun.randomUUIDv7(),
              mode: "put",
              images: [imageNamed(each.other, { blob, copyOf })],
            };
          }
          case "moveImage": {
            const target = { albumId: ids.get(each.target) ?? Bun.randomUUIDv7(), name: each.other };
            return { type: "moveImage", albumId, name: each.name, target, ifExists: "replace" };
          }
          case "describeImage":
            return describing(undescribed[0]?.imageId ?? albumId, undescribed[0]?.blobKey ?? "", {
              takenAt: "2020-01-01T00:00:00",
            });
          default:
            return { type: "deleteImage", albumId, name: each.name };
        }
      };

      const albums = new Map<string, Album>();
      const images = new Map<string, Image>();
      const moving = new Map<string, Image>();
      let applied = 0;
      const replay = async () => {
        const { epoch, lastSequence } = await loggedState(catalog);
        const { events } = await catalog.events({ visibility: "all", after: { epoch, seq: applied }, limit: 10_000 });
        applied = lastSequence;
        for (const event of events) {
          const { reason, previousName, previousAlbum, newAlbum, copiedFrom: __, actor: _, ...data } = dataOf(event);
          const record = data as Album | Image;
          const records: Map<string, Album | Image> = event.imageId === null ? albums : images;
          expect(event.type.endsWith(".created")).toBe(!records.has(record.id));
          const before = records.get(record.id) ?? (previousAlbum && moving.get(record.id));
          if (before !== undefined && "albumId" in before)
            expect(before.albumId).toBe(previousAlbum?.id ?? (data as Image).albumId);
          if (newAlbum === undefined) moving.delete(record.id);
          else moving.set(record.id, record as Image);
          if (before !== undefined) {
            expect(previousName).toBe(before.name === record.name ? undefined : before.name);
            // Deletes carry the last known record; what the store learns by itself is no new version of it.
            const stays = event.type.endsWith(".deleted") || reason === "described";
            expect(record.revision - before.revision).toBe(stays ? 0 : 1);
            expect(record.updatedAt >= before.updatedAt).toBe(true);
          }
          if (event.type.endsWith(".deleted")) records.delete(record.id);
          else records.set(record.id, record);
          // An album's own event is the last: nothing of it is left by then.
          if (event.type === "imagestore.album.deleted")
            expect([...images.values()].filter((image) => image.albumId === record.id)).toEqual([]);
        }
      };

      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
          for (const each of steps) {
            for (const { id, name } of (await catalog.albums({ visibility: "all", orderBy: "name", limit: 100 })).items)
              ids.set(name, id);
            present = (await catalog.images({ visibility: "all", orderBy: "name", limit: 1000 })).items;
            undescribed = await catalog.undescribedImages({ limit: 1, order: "newest" });
            await catalog.write(changeOf(each)).catch(() => undefined);
          }
          for (const albumId of await catalog.albumsBeingDeleted(100))
            while (!(await catalog.write({ type: "deleteAlbumChunk", albumId, limit: 1 })).done);
          await replay();
          const live = (await catalog.albums({ visibility: "all", orderBy: "name", limit: 100 })).items;
          expect([...albums.values()].map(uncounted).toSorted(byId)).toEqual(live.map(uncounted).toSorted(byId));
          const listed = (await catalog.images({ visibility: "all", orderBy: "name", limit: 1000 })).items;
          expect([...images.values()].map(nameless).toSorted(byId)).toEqual(listed.map(nameless).toSorted(byId));
          for (const album of live)
            expect(listed.filter((image) => image.albumId === album.id)).toHaveLength(album.imageCount);
          const states = (await catalog.blobs({ limit: 100_000 })).filter(({ state }) => state === "live");
          expect(states).toHaveLength(listed.length);
        }),
        { numRuns: 30 },
      );
    });

    test("an event is under 32 KiB within all limits", async () => {
      const hard = fc.constantFrom("a", '"', "\\", "é", "あ", "😀", "'");
      const nameOf = fc.array(hard, { minLength: 1, maxLength: 255 }).map((characters) => {
        while (Buffer.byteLength(characters.join("")) > 255) characters.pop();
        return parseName(characters.join(""));
      });
      const fields = fc.record({
        title: text(200),
        description: text(1000),
        metadata: fc.dictionary(text(30), text(200), { maxKeys: 64, size: "max" }),
        tags: fc.array(text(64), { maxLength: 64, size: "max" }),
        focalPoint: fc.constantFrom(null, { x: 0.1234, y: 0.5678 }),
      });
      let largest = 0;
      let number = 0;
      await fc.assert(
        fc.asyncProperty(nameOf, nameOf, nameOf, fields, async (albumName, name, other, imageFields) => {
          fc.pre(withinBounds(imageFields) && name !== other);
          const album = await createAlbum(catalog, `${number++}${albumName.slice(0, 60)}`);
          const { id } = await createImage(catalog, album, name, { fields: imageFields });
          const [{ blobKey } = { blobKey: "" }] = await catalog.undescribedImages({ limit: 1, order: "newest" });
          expect(await catalog.write(describing(id, blobKey, LONGEST_EXIF))).toEqual({ applied: true });
          await catalog.write({ type: "updateImage", albumId: album.id, name, patch: { name: other } });
          const { epoch, lastSequence } = await loggedState(catalog);
          const { events } = await catalog.events({
            visibility: "all",
            after: { epoch, seq: lastSequence - 3 },
            limit: 3,
          });
          for (const event of events) {
            const bytes = Buffer.byteLength(cloudEventJson(toCloudEvent(event, { storeId: catalog.storeId, epoch })));
            largest = Math.max(largest, bytes);
            expect(bytes).toBeLessThan(32 * 1024);
          }
        }),
        { numRuns: 60 },
      );
      expect(largest).toBeGreaterThan(10 * 1024);
    });
  });
}

/** 2 KiB as JSON. */
const LONGEST_EXIF: Exif = {
  artist: "あ".repeat(340),
  copyright: '"'.repeat(492),
  takenAt: "2026-07-14T09:30:00+02:00",
};

// The count of an album's images has no event of its own, and neither has an album's name in its images.
const uncounted = (album: Album) => ({ ...album, imageCount: 0, byteCount: 0 });
const nameless = (image: Image) => ({ ...image, album: "", links: {} });
const byId = (one: { id: string }, two: { id: string }) => (one.id < two.id ? -1 : 1);

const text = (characters: number) =>
  fc
    .array(fc.constantFrom("\n", '"', "あ", "😀", "x"), { minLength: 0, maxLength: characters, size: "max" })
    .map((each) => each.join(""));

function withinBounds(item: Parameters<typeof requireTextBounds>[0]): boolean {
  try {
    requireTextBounds(item);
    return true;
  } catch {
    return false;
  }
}
