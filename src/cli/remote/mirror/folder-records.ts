import { ADDED_IMAGE_FIELDS } from "../../../domain/image.ts";
import type { Catalog } from "../../../ports.ts";
import { toTargetAlbum, toTargetImage } from "./fields.ts";
import type { MirrorTarget } from "./target.ts";

type Records = Pick<
  MirrorTarget,
  | "albums"
  | "images"
  | "albumNamed"
  | "imageNamed"
  | "imageById"
  | "createAlbum"
  | "updateAlbum"
  | "deleteAlbum"
  | "updateImage"
  | "moveImage"
  | "deleteImage"
  | "align"
>;

const QUERY = { visibility: "all", orderBy: "createdAt", limit: 1000 } as const;

/** Reads and changes records of a catalog for a mirror. */
export function createRecords(catalog: Catalog): Records {
  return {
    async *albums() {
      for await (const album of pagesOf((start: object) => catalog.albums({ ...QUERY, ...start })))
        yield toTargetAlbum(album);
    },
    async *images() {
      for await (const image of pagesOf((start: object) => catalog.images({ ...QUERY, ...start })))
        yield toTargetImage(image);
    },
    async albumNamed(name) {
      const album = await catalog.album(name, "all");
      return album && toTargetAlbum(album);
    },
    async imageNamed(album, name) {
      const found = await catalog.image(album.name, name, "all");
      return found && toTargetImage(found.image);
    },
    async imageById(id) {
      const found = await catalog.imageById(id, "all");
      return found && toTargetImage(found.image);
    },
    async createAlbum({ id, name, title, description, metadata, visibility }) {
      const fields = { title, description, metadata, visibility };
      return toTargetAlbum((await catalog.write({ type: "createAlbum", id, name, fields })).value);
    },
    updateAlbum: async ({ id }, patch) =>
      toTargetAlbum(await catalog.write({ type: "updateAlbum", albumId: id, patch })),
    async deleteAlbum({ id }) {
      await catalog.write({ type: "deleteAlbum", albumId: id, recursive: true });
    },
    updateImage: async ({ id: albumId }, { name }, patch) =>
      toTargetImage(await catalog.write({ type: "updateImage", albumId, name, patch })),
    async moveImage(from, image, to, name) {
      const target = { albumId: to.id, name };
      const move = { type: "moveImage", albumId: from.id, name: image.name, target, ifExists: "fail" } as const;
      return toTargetImage((await catalog.write(move)).value);
    },
    async deleteImage({ id: albumId }, { name }) {
      await catalog.write({ type: "deleteImage", albumId, name });
    },
    async align(records) {
      const images = records.images.map(
        // Events of earlier versions lack fields.
        (image) => ({ ...ADDED_IMAGE_FIELDS, ...image }),
      );
      await catalog.write({ type: "alignRecords", albums: records.albums, images });
    },
  };
}

async function* pagesOf<Item, Start>(
  read: (start: { start?: Start }) => Promise<{ items: readonly Item[]; next: Start | undefined }>,
) {
  let start: { start?: Start } = {};
  for (;;) {
    const { items, next } = await read(start);
    yield* items;
    if (next === undefined) return;
    start = { start: next };
  }
}
