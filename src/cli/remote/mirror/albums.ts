import type { Album } from "../../../../client/src/index.ts";
import { albumPatch } from "./fields.ts";
import { codeOf, type MirrorRun } from "./run.ts";
import { requireAlbum } from "./source-records.ts";
import type { KnownAlbum } from "./state.ts";
import type { TargetAlbum } from "./target.ts";

/** The record has changed since the state was saved, or its name is taken. */
const STALE: ReadonlySet<string | undefined> = new Set(["album_exists", "album_not_found"]);
const ATTEMPTS = 4;

/** Makes the target's album like the source's. */
export async function convergeAlbum(run: MirrorRun, album: Album): Promise<void> {
  requireAlbum(album);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await converge(run, album);
    } catch (error) {
      if (attempt === ATTEMPTS || !STALE.has(codeOf(error))) throw error;
      await refresh(run, album);
    }
  }
}

async function converge({ target, state, report }: MirrorRun, album: Album): Promise<void> {
  const known = state.album(album.id);
  let current: TargetAlbum;
  if (known === undefined) {
    current = await target.createAlbum(album);
    report.changed("album", "missing", album.name);
  } else {
    const patch = albumPatch(known, album);
    current = patch === undefined ? known : await target.updateAlbum(known, patch);
    if (patch !== undefined) report.changed("album", "fields", album.name);
  }
  if (target.isVerbatim) await target.align({ albums: [album], images: [] });
  state.saveAlbum({ ...current, sourceId: album.id, revision: album.revision });
}

/** Looks at the target again, and frees the name for the album. */
async function refresh(run: MirrorRun, album: Album): Promise<void> {
  const { target, state } = run;
  const known = state.album(album.id);
  if (known !== undefined) {
    const found = await findById(run, known.id);
    if (found === undefined) state.removeAlbum(known.id);
    else state.saveAlbum({ ...known, ...found });
  }
  const holder = await target.albumNamed(album.name);
  const own = state.album(album.id);
  if (holder === undefined || holder.id === own?.id) return;
  const other = state.albumByTarget(holder.id);
  const isLeftover = other?.sourceId === undefined;
  // A killed run may have created it, and not said so.
  if (isLeftover && own === undefined && (!target.isVerbatim || holder.id === album.id))
    return state.saveAlbum({ ...holder, sourceId: album.id, revision: 0 });
  const aside = await target.updateAlbum(holder, { name: newAsideName() });
  state.saveAlbum({ sourceId: undefined, revision: 0, ...other, ...aside });
}

/** Until its own event comes, a record that has a name too early, or too late, has this one. */
export const newAsideName = (): string => `mirror-${crypto.randomUUID()}`;

async function findById({ target }: MirrorRun, id: string): Promise<TargetAlbum | undefined> {
  for await (const album of target.albums()) if (album.id === id) return album;
  return undefined;
}

export async function removeAlbum({ target, state, report }: MirrorRun, album: KnownAlbum): Promise<void> {
  await target.deleteAlbum(album).catch((error: unknown) => {
    if (codeOf(error) !== "album_not_found") throw error;
  });
  state.removeAlbum(album.id);
  report.changed("album", "extra", album.name);
}
