import type { Album } from "../domain/album.ts";
import { authorize, type Caller, visibleAlbums } from "../domain/caller.ts";
import type { Idempotency, Replayable } from "../domain/change.ts";
import { albumExists } from "../domain/errors.ts";
import type { AlbumOrderBy, Page, PageQuery } from "../domain/page.ts";
import {
  type AlbumCreation,
  type AlbumDeletion,
  type AlbumUpdate,
  type Asking,
  type Conditional,
  toCreateAlbum,
  toDeleteAlbum,
  toPutAlbum,
  toUpdateAlbum,
} from "../domain/requests.ts";
import type { AlbumQuery } from "../ports.ts";
import { fillPage } from "./fill-page.ts";
import type { RunningKeys } from "./idempotency.ts";
import { type RequestCatalog, readsAtOnce } from "./request-catalog.ts";
import { requireAlbum } from "./require-album.ts";

export interface AlbumDeps {
  readonly catalog: RequestCatalog;
  readonly runningKeys: RunningKeys;
}

/** @throws StoreError `forbidden`, `album_exists`, `invalid_request`, `idempotency_key_reused`, `request_in_progress` */
export async function createAlbum(
  { catalog, runningKeys }: AlbumDeps,
  input: Asking & Omit<AlbumCreation, "id"> & { readonly idempotency: Idempotency | undefined },
): Promise<Replayable<Album>> {
  const { idempotency } = input;
  const change = toCreateAlbum(input, { ...input, id: Bun.randomUUIDv7() });
  using key = runningKeys.take(idempotency);
  // Only the transaction decides that the name is free. With a key the request may be a repetition; to publish needs a right first.
  const isPlain = idempotency === undefined && input.fields.visibility !== "public";
  if (isPlain && readsAtOnce(catalog) && (await catalog.album(input.name, "all")) !== undefined) throw albumExists();
  return await catalog.write({ ...change, ...(idempotency === undefined ? {} : { idempotency }) });
}

/** Creates it, or replaces all of its fields. @throws StoreError `invalid_request`, `precondition_failed` */
export const putAlbum = async (
  { catalog }: Pick<AlbumDeps, "catalog">,
  input: Asking & Conditional & Omit<AlbumCreation, "id">,
): Promise<{ readonly created: boolean; readonly album: Album }> =>
  catalog.write(await toPutAlbum(catalog, input, { ...input, id: Bun.randomUUIDv7() }));

/** @throws StoreError `album_not_found`, `forbidden` */
export const getAlbum = (
  deps: Pick<AlbumDeps, "catalog">,
  { caller, name }: { readonly caller: Caller; readonly name: string },
): Promise<Album> => requireAlbum(deps, caller, "read", name);

/** Those that the caller may read. */
export async function listAlbums(
  { catalog }: Pick<AlbumDeps, "catalog">,
  caller: Caller,
  query: PageQuery<AlbumOrderBy>,
  options: { readonly signal: AbortSignal },
): Promise<Page<Album>> {
  authorize(caller, "read");
  const visibility = visibleAlbums(caller, "read");
  return fillPage((part: AlbumQuery) => catalog.albums(part), { ...query, visibility }, options);
}

/** @throws StoreError `album_not_found`, `album_exists`, `invalid_request`, `precondition_failed` */
export const updateAlbum = async (
  { catalog }: Pick<AlbumDeps, "catalog">,
  input: Asking & AlbumUpdate,
): Promise<Album> => catalog.write(await toUpdateAlbum(catalog, input, input));

/**
 * With all of its images where `recursive`. It is gone when this resolves; a large one's images go afterwards.
 * @throws StoreError `album_not_found`, `album_not_empty`, `precondition_failed`
 */
export async function deleteAlbum(
  { catalog }: Pick<AlbumDeps, "catalog">,
  input: Asking & AlbumDeletion,
): Promise<void> {
  await catalog.write(await toDeleteAlbum(catalog, input, input));
}
