import { isDeepStrictEqual } from "node:util";
import { type AlbumFields, StoreError } from "../../../client/src/index.ts";
import type { RemoteCall } from "./connection.ts";

/** Without a file that describes the album, the fields that it has stay. */
export async function describeAlbum(
  { client, signal, context }: RemoteCall,
  name: string,
  { metadata, ...fields }: AlbumFields,
  isDescribed: boolean,
): Promise<void> {
  try {
    await client.albums.create({ name, ...fields, ...(metadata === undefined ? {} : { metadata }) }, { signal });
    context.err(`Created the album ${name}\n`);
    return;
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "album_exists") throw error;
  }
  const album = await client.albums.get(name, { signal });
  const next = isDescribed
    ? { title: null, description: null, visibility: album.visibility, ...fields, metadata: { ...metadata } }
    : { ...album, metadata: { ...album.metadata, ...metadata } };
  const { title, description, visibility } = next;
  const wanted = { title, description, visibility, metadata: next.metadata };
  if (
    isDeepStrictEqual(wanted, {
      title: album.title,
      description: album.description,
      visibility: album.visibility,
      metadata: album.metadata,
    })
  )
    return;
  const gone = Object.fromEntries(Object.keys(album.metadata).map((member) => [member, null]));
  await client.albums.update(name, { ...wanted, metadata: { ...gone, ...next.metadata } }, { signal });
}
