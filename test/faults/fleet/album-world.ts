import type { Apply } from "./serial-order.ts";

/** What clients do to one name of an album, and one of an image in it. */
export type Operation =
  | { readonly kind: "createAlbum" | "deleteAlbum" | "deleteEmptyAlbum" | "deleteImage" | "readContent" }
  /** `key` is an Idempotency-Key. */
  | { readonly kind: "createImage"; readonly sha256: string; readonly key?: string }
  | { readonly kind: "putImage"; readonly sha256: string };

/** Ids are the indexes of the operations that made what they name; before the first there was `start`. */
export interface AlbumWorld {
  readonly album: string | undefined;
  readonly image: { readonly id: string; readonly sha256: string; readonly revision: number } | undefined;
  /** Digest and answer by Idempotency-Key. */
  readonly answered: ReadonlyMap<string, { readonly sha256: string; readonly answer: string }>;
}

export const EMPTY_WORLD: AlbumWorld = { album: undefined, image: undefined, answered: new Map() };

export const describeAlbum = (id: string): string => `album ${id}`;

export const describeImage = (image: { id: string; albumId: string; sha256: string; revision: number }): string =>
  `image ${image.id} in ${image.albumId}: ${image.sha256.slice(0, 8)} revision ${image.revision}`;

export function describeWorld({ album, image }: AlbumWorld): string {
  if (album === undefined) return "nothing";
  return image === undefined ? describeAlbum(album) : describeImage({ ...image, albumId: album });
}

/** What README.md and openapi.json promise, for one client at a time. */
export const applyOperation: Apply<AlbumWorld, Operation> = (world, operation, index) => {
  const { album, image } = world;
  const id = String(index);
  const same = (answer: string) => ({ world, answer });

  if (operation.kind === "createAlbum") {
    if (album !== undefined) return same("409 album_exists");
    return { world: { ...world, album: id, image: undefined }, answer: `201 ${describeAlbum(id)}` };
  }
  if (operation.kind === "createImage") {
    const { sha256, key } = operation;
    const first = key === undefined ? undefined : world.answered.get(key);
    if (first !== undefined)
      return same(first.sha256 === sha256 ? `${first.answer} replayed` : "422 idempotency_key_reused");
    if (album === undefined) return same("404 album_not_found");
    if (image !== undefined) return same("409 image_exists");
    const created = { id, sha256, revision: 1 };
    const answer = `201 ${describeImage({ ...created, albumId: album })}`;
    const answered = key === undefined ? world.answered : new Map(world.answered).set(key, { sha256, answer });
    return { world: { ...world, image: created, answered }, answer };
  }
  if (album === undefined) return same("404 album_not_found");
  if (operation.kind === "deleteAlbum" || operation.kind === "deleteEmptyAlbum") {
    if (operation.kind === "deleteEmptyAlbum" && image !== undefined) return same("409 album_not_empty");
    return { world: { ...world, album: undefined, image: undefined }, answer: "204" };
  }
  if (operation.kind === "putImage") {
    const { sha256 } = operation;
    const put =
      image === undefined
        ? { id, sha256, revision: 1 }
        : { ...image, sha256, revision: image.revision + (image.sha256 === sha256 ? 0 : 1) };
    const answer = `${image === undefined ? 201 : 200} ${describeImage({ ...put, albumId: album })}`;
    return { world: { ...world, image: put }, answer };
  }
  if (image === undefined) return same("404 image_not_found");
  if (operation.kind === "readContent") return same(`200 ${image.sha256.slice(0, 8)}`);
  return { world: { ...world, image: undefined }, answer: "204" };
};
