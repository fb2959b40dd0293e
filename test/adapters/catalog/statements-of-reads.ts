import type { Driver, SqlValue } from "../../../src/adapters/catalog/driver.ts";
import { findAlbum, listAlbums } from "../../../src/adapters/catalog/queries/albums.ts";
import { readEvents } from "../../../src/adapters/catalog/queries/events.ts";
import { imageFiles, newestImageAt } from "../../../src/adapters/catalog/queries/image-files.ts";
import { listImages } from "../../../src/adapters/catalog/queries/image-listing.ts";
import {
  findContent,
  findContentById,
  findImage,
  findImageById,
} from "../../../src/adapters/catalog/queries/images.ts";
import { describeBacklog, undescribedImages } from "../../../src/adapters/catalog/queries/undescribed.ts";
import { ALBUM_ORDERS, IMAGE_ORDERS } from "../../../src/domain/page.ts";
import type { ImageQuery } from "../../../src/ports.ts";

const FILTERS: readonly Partial<ImageQuery>[] = [
  {},
  { q: "x" },
  { contentType: "image/png" },
  { tag: "t" },
  { sha256: "s" },
  { createdAfter: 1, createdBefore: 3 },
  { takenAfter: 1, takenBefore: 3 },
  { q: "x", tag: "t", contentType: "image/png", sha256: "s", createdAfter: 1 },
];

/**
 * The statements of the reads that clients ask for, with values of each, for a look at their plans. With `manyPass` as if
 * every filter let many through, so no filter has an index of its own to enter by.
 */
export async function statementsOfReads(
  driver: Driver,
  { manyPass }: { readonly manyPass: boolean },
): Promise<ReadonlyMap<string, readonly SqlValue[]>> {
  const statements = new Map<string, readonly SqlValue[]>();
  const recording: Driver = {
    all: <Row>(sql: string, values: readonly SqlValue[] = []) => {
      statements.set(sql, [...values]);
      return driver.all<Row>(sql, values);
    },
    get: async <Row>(sql: string, values: readonly SqlValue[] = []) => {
      statements.set(sql, [...values]);
      const row = await driver.get<Row>(sql, values);
      return manyPass && sql.startsWith("select count(*)") ? ({ count: 1_000_000 } as Row) : row;
    },
    run: (sql, values) => driver.run(sql, values),
    rowKey: driver.rowKey,
    memberOf: (column, member) => driver.memberOf(column, member),
    elementsOf: (array) => driver.elementsOf(array),
  };
  const watermark = { epoch: 1, seq: 1 };
  for (const orderBy of IMAGE_ORDERS)
    for (const key of ["x1", 2, undefined]) {
      const mayBe = orderBy.endsWith("name")
        ? ["string"]
        : orderBy.endsWith("takenAt")
          ? ["string", "number"]
          : ["number"];
      if (key !== undefined && !mayBe.includes(typeof key)) continue;
      const albumOrder = ALBUM_ORDERS.find((order) => order === orderBy);
      const start = key === undefined ? {} : { start: { after: { key, id: "i" }, watermark } };
      for (const filter of FILTERS) {
        if (albumOrder !== undefined)
          await listAlbums(recording, {
            visibility: "all",
            orderBy: albumOrder,
            limit: 5,
            ...start,
            ...("q" in filter && { q: "x" }),
          });
        for (const scope of [{}, { albumId: "a" }])
          await listImages(recording, { visibility: "all", orderBy, limit: 5, ...start, ...filter, ...scope });
      }
    }
  await findAlbum(recording, "a", "all");
  await findImage(recording, "a", "i", "all");
  await findImageById(recording, "i", "all");
  await findContent(recording, "a", "i", "all");
  await findContentById(recording, "i", "all");
  await imageFiles(recording, { albumId: "a", after: "x1", createdUntil: 10_000, limit: 5 });
  await newestImageAt(recording, "a");
  for (const order of ["newest", "oldest"] as const)
    await undescribedImages(recording, { limit: 5, order, before: "x" });
  await undescribedImages(recording, { limit: 5, order: "newest", share: ["0", "a"] });
  await describeBacklog(recording);
  const types = ["imagestore.album.created", "imagestore.image.deleted"] as const;
  for (const filter of [{}, { types }, { albumId: "a" }, { types, albumId: "a" }, { types: [types[0]], albumId: "a" }])
    await readEvents(recording, { visibility: "all", limit: 5, ...filter });
  return statements;
}
