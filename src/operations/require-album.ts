import type { Right } from "../domain/access.ts";
import type { Album } from "../domain/album.ts";
import type { Caller } from "../domain/caller.ts";
import * as requests from "../domain/requests.ts";
import type { Catalog } from "../ports.ts";

/**
 * The live album of that name, where the caller has the right on it.
 * @throws StoreError `album_not_found`, also where the caller has no right on it; `forbidden` where it has another
 */
export const requireAlbum = (
  { catalog }: { readonly catalog: Pick<Catalog, "album"> },
  caller: Caller,
  right: Right,
  name: string,
): Promise<Album> => requests.requireAlbum(catalog, caller, right, name);
