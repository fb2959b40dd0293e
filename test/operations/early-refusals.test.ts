import { expect, test } from "bun:test";
import { type AlbumWish, EMPTY_ALBUM_FIELDS } from "../../src/domain/album.ts";
import { LOCAL } from "../../src/domain/caller.ts";
import type { Idempotency } from "../../src/domain/change.ts";
import { createAlbum } from "../../src/operations/albums.ts";
import { createRunningKeys } from "../../src/operations/idempotency.ts";
import { deleteImage } from "../../src/operations/images.ts";
import type { RequestCatalog } from "../../src/operations/request-catalog.ts";

const ALBUM = { id: "1", name: "a" };
const IDEMPOTENCY: Idempotency = { scope: "s", key: "k", fingerprint: "f" };

/** A catalog that has the album and the images, and tells what was written. */
function catalogWith({ shared = false, images = [] as readonly string[] }) {
  const written: string[] = [];
  const catalog = {
    shared,
    album: async (name: string) => (name === ALBUM.name ? ALBUM : undefined),
    image: async (_album: string, name: string) => (images.includes(name) ? { image: { name } } : undefined),
    write: async ({ type }: { type: string }) => {
      written.push(type);
      return { value: ALBUM, replayed: false };
    },
  } as unknown as RequestCatalog;
  return { catalog, written };
}

const outcomeOf = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error: { readonly code: string }) => error.code,
  );

const creation = (name: string, fields: Partial<AlbumWish> = {}, idempotency?: Idempotency) => ({
  caller: LOCAL,
  traceparent: undefined,
  name,
  fields: { ...EMPTY_ALBUM_FIELDS, ...fields },
  idempotency,
});

test.each([
  ["an album whose name is taken is refused without a write", creation("a"), false, "album_exists", []],
  ["an album whose name is free is written", creation("b"), false, "done", ["createAlbum"]],
  ["with an idempotency key the change decides", creation("a", {}, IDEMPOTENCY), false, "done", ["createAlbum"]],
  ["for a public album the change decides", creation("a", { visibility: "public" }), false, "done", ["createAlbum"]],
  ["in a shared catalog the change decides", creation("a"), true, "done", ["createAlbum"]],
] as const)("%s", async (_name, input, shared, outcome, changes) => {
  const { catalog, written } = catalogWith({ shared });
  expect(await outcomeOf(createAlbum({ catalog, runningKeys: createRunningKeys() }, input))).toBe(outcome);
  expect(written).toEqual([...changes]);
});

test.each([
  ["the deletion of an image that is not there is refused without a write", "j", false, "image_not_found", []],
  ["the deletion of an image that is there is written", "i", false, "done", ["deleteImage"]],
  ["in a shared catalog the change decides about a deletion", "j", true, "done", ["deleteImage"]],
] as const)("%s", async (_name, name, shared, outcome, changes) => {
  const { catalog, written } = catalogWith({ shared, images: ["i"] });
  const target = { caller: LOCAL, traceparent: undefined, album: "a", name, preconditions: undefined };
  expect(await outcomeOf(deleteImage({ catalog }, target))).toBe(outcome);
  expect(written).toEqual([...changes]);
});
