import { type Album, type AlbumFields, type AlbumPatch, requireTextBounds } from "../domain/album.ts";
import type { Idempotency, Preconditions, RecordVersion, Replayable } from "../domain/change.ts";
import { albumNotFound } from "../domain/errors.ts";
import type { AlbumOrderBy, Page, PageQuery } from "../domain/page.ts";
import type { Catalog } from "../ports.ts";
import type { RunningKeys } from "./idempotency.ts";

export interface AlbumPorts {
  readonly catalog: Catalog;
  readonly runningKeys: RunningKeys;
}

/** What every write may carry: W3C trace context, and what must hold. */
interface WriteOptions {
  readonly traceparent?: string | undefined;
  readonly preconditions?: Preconditions<RecordVersion> | undefined;
}

/** @throws StoreError `album_exists`, `invalid_request`, `idempotency_key_reused`, `request_in_progress` */
export async function createAlbum(
  { catalog, runningKeys }: AlbumPorts,
  input: {
    readonly name: string;
    readonly fields: AlbumFields;
    readonly idempotency: Idempotency | undefined;
    readonly traceparent?: string | undefined;
  },
): Promise<Replayable<Album>> {
  const { name, fields, idempotency, traceparent } = input;
  requireTextBounds({ name, ...fields });
  return runningKeys.run(idempotency, () =>
    catalog.write({
      type: "createAlbum",
      id: Bun.randomUUIDv7(),
      name,
      fields,
      ...(idempotency === undefined ? {} : { idempotency }),
      ...(traceparent === undefined ? {} : { traceparent }),
    }),
  );
}

/** Creates it, or replaces all of its fields. @throws StoreError `invalid_request`, `precondition_failed` */
export async function putAlbum(
  { catalog }: Pick<AlbumPorts, "catalog">,
  input: WriteOptions & { readonly name: string; readonly fields: AlbumFields },
): Promise<{ readonly created: boolean; readonly album: Album }> {
  const { name, fields } = input;
  requireTextBounds({ name, ...fields });
  return catalog.write({ type: "putAlbum", id: Bun.randomUUIDv7(), name, fields, ...given(input) });
}

/** @throws StoreError `album_not_found` */
export async function getAlbum({ catalog }: Pick<AlbumPorts, "catalog">, name: string): Promise<Album> {
  const album = await catalog.album(name);
  if (album === undefined) throw albumNotFound();
  return album;
}

export const listAlbums = (
  { catalog }: Pick<AlbumPorts, "catalog">,
  query: PageQuery<AlbumOrderBy>,
): Promise<Page<Album>> => catalog.albums(query);

/** @throws StoreError `album_not_found`, `album_exists`, `invalid_request`, `precondition_failed` */
export async function updateAlbum(
  ports: Pick<AlbumPorts, "catalog">,
  input: WriteOptions & { readonly name: string; readonly patch: AlbumPatch },
): Promise<Album> {
  const { id } = await getAlbum(ports, input.name);
  return ports.catalog.write({ type: "updateAlbum", albumId: id, patch: input.patch, ...given(input) });
}

/**
 * With all of its images where `recursive`. It is gone when this resolves; a large one's images go afterwards.
 * @throws StoreError `album_not_found`, `album_not_empty`, `precondition_failed`
 */
export async function deleteAlbum(
  ports: Pick<AlbumPorts, "catalog">,
  input: WriteOptions & { readonly name: string; readonly recursive: boolean },
): Promise<void> {
  const { id } = await getAlbum(ports, input.name);
  await ports.catalog.write({ type: "deleteAlbum", albumId: id, recursive: input.recursive, ...given(input) });
}

const given = ({ traceparent, preconditions }: WriteOptions) => ({
  ...(traceparent === undefined ? {} : { traceparent }),
  ...(preconditions === undefined ? {} : { preconditions }),
});
