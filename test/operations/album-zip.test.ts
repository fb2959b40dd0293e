import { expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import type { Caller } from "../../src/domain/caller.ts";
import { StoreError } from "../../src/domain/errors.ts";
import { includesAlbum, type Visibility } from "../../src/domain/visibility.ts";
import { getAlbumZip } from "../../src/operations/album-zip.ts";
import { createZipSlots } from "../../src/operations/zip-bytes.ts";
import { createZipPlanner } from "../../src/operations/zip-plan.ts";
import { expectCode } from "../errors.ts";
import { NEVER, syntheticAlbum, syntheticImage } from "./synthetic-album.ts";

const PUBLIC = { id: "a", name: "Summer", visibility: "public" } as Album;
const caller = (kind: Caller["kind"], albums: readonly string[]): Caller => ({
  kind,
  id: kind,
  name: null,
  grants: [{ rights: new Set(["read"] as const), albums: { ids: albums } }],
});
const ANYONE: Caller = { ...caller("anonymous", []), id: null };

interface At {
  album: Album | undefined;
}
const makePrivate = (at: At) => {
  at.album = { ...PUBLIC, visibility: "private" };
};
const nothing = () => undefined;
const revoked = () => Promise.reject(new StoreError("unauthorized", "The key was revoked."));

/** An archive whose request waits until `change` is done. */
async function archiveAround(first: Caller, change: (at: At) => void, callerNow = async () => first) {
  const { deps } = syntheticAlbum([syntheticImage(0)]);
  const at: At = { album: PUBLIC };
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const catalog = {
    ...deps.catalog,
    album: async (name: string, visibility: Visibility) =>
      at.album?.name === name && includesAlbum(visibility, at.album) ? at.album : undefined,
    async newestImageAt(albumId: string) {
      reached.resolve();
      await released.promise;
      return deps.catalog.newestImageAt(albumId);
    },
  };
  const zip = getAlbumZip(
    {
      ...deps,
      catalog,
      zipPlanner: createZipPlanner(catalog),
      zipSlots: createZipSlots(),
      publicOriginals: "whole",
      onZipCut: () => undefined,
    },
    { caller: first, callerNow, album: "Summer", signal: NEVER },
  );
  await reached.promise;
  change(at);
  released.resolve();
  return zip;
}

test("an album that is made private, renamed or deleted while its archive waits is gone for who may not see it", async () => {
  const owner = caller("key", ["a"]);
  await expectCode(archiveAround(ANYONE, makePrivate), "album_not_found");
  expect((await archiveAround(owner, makePrivate)).name).toBe("Summer.zip");
  const gone = (album: Album | undefined) => {
    const replace = (at: At) => {
      at.album = album;
    };
    return expectCode(archiveAround(owner, replace), "album_not_found");
  };
  await gone(undefined);
  await gone({ ...PUBLIC, name: "Winter" });
  await gone({ ...PUBLIC, id: "another" });
});

test("a caller who is revoked or loses the right while its archive waits gets none", async () => {
  const owner = caller("key", ["a"]);
  await expectCode(archiveAround(owner, nothing, revoked), "unauthorized");
  const variantsOnly = { ...owner, grants: owner.grants.map((grant) => ({ ...grant, originals: false })) };
  await expectCode(
    archiveAround(owner, makePrivate, async () => variantsOnly),
    "original_not_shared",
  );
});
