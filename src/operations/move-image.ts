import { requesterOf } from "../domain/caller.ts";
import type { Idempotency, MoveImage, Replayable } from "../domain/change.ts";
import { StoreError } from "../domain/errors.ts";
import type { Image } from "../domain/image.ts";
import type { Requester } from "../domain/requested.ts";
import { type Asking, type ImageMove, toMoveImage } from "../domain/requests.ts";
import type { PublicOriginals } from "../domain/variant.ts";
import type { RequestCatalog } from "./request-catalog.ts";

export interface MoveDeps {
  readonly catalog: Pick<RequestCatalog, "album" | "hasAnswered" | "write">;
  readonly publicOriginals: PublicOriginals;
}

export interface MoveRequest extends Asking, Omit<ImageMove, "publicOriginals"> {
  readonly idempotency?: Idempotency | undefined;
}

/**
 * @throws StoreError `album_not_found`, `image_not_found`, `forbidden`, `original_not_shared`, `image_exists`, `quota_exceeded`,
 * `precondition_failed`, `idempotency_key_reused`
 */
export async function moveImage(
  { catalog, publicOriginals }: MoveDeps,
  request: MoveRequest,
): Promise<Replayable<Image>> {
  const { idempotency } = request;
  const change = await changeOf({ catalog, publicOriginals }, request);
  return catalog.write({ ...change, ...(idempotency === undefined ? {} : { idempotency }) });
}

/** A repeated request is answered as the first was, although its albums may be gone by now. */
async function changeOf(
  { catalog, publicOriginals }: MoveDeps,
  request: MoveRequest,
): Promise<MoveImage & { by: Requester }> {
  try {
    return await toMoveImage(catalog, request, { ...request, publicOriginals });
  } catch (error) {
    const { caller, idempotency, ifExists, name } = request;
    const isGone = error instanceof StoreError && error.code === "album_not_found";
    if (!isGone || idempotency === undefined || !(await catalog.hasAnswered(idempotency))) throw error;
    const nowhere = { albumId: null };
    return { type: "moveImage", ...nowhere, name, target: nowhere, ifExists, by: requesterOf(caller, "delete") };
  }
}
