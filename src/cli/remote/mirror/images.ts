import type { Image } from "../../../../client/src/index.ts";
import { quote } from "../../../domain/wording.ts";
import { newAsideName } from "./albums.ts";
import { imagePatch } from "./fields.ts";
import { codeOf, isOfImage, type MirrorRun, pathOf } from "./run.ts";
import { problemOfImage } from "./source-records.ts";
import type { KnownAlbum, KnownImage } from "./state.ts";
import type { ReceivedBytes, TargetImage } from "./target.ts";

/** An image of the source that the target is to have, with its bytes where the target seems to lack them. */
export interface PreparedImage<Bytes> {
  readonly image: Image;
  readonly bytes: Bytes | undefined;
}

/** Of a listing, which tells how the source is, also where the state knows a later revision: after a restore of the source. */
export interface ConvergeOptions {
  readonly isListed: boolean;
}

/**
 * Receives the bytes that the target lacks. If the image has others by now, they are those: what comes later in the log says the same
 * again. Undefined if the image is gone.
 */
export async function prepareImage<Bytes extends ReceivedBytes>(
  run: MirrorRun<Bytes>,
  image: Image,
): Promise<PreparedImage<Bytes> | undefined> {
  const { source, target, state, signal, report } = run;
  const problem = problemOfImage(image);
  if (problem !== undefined) {
    report.failed(quote(pathOf(image)), problem);
    return undefined;
  }
  if ((state.image(image.id) ?? adoptImage(run, image))?.sha256 === image.sha256) return { image, bytes: undefined };
  try {
    const bytes = await target.receive(image, () => source.download(image, { signal }));
    report.received(image.size);
    return { image, bytes };
  } catch (error) {
    if (isOfImage(error)) {
      report.failed(pathOf(image), error);
      return undefined;
    }
    if (codeOf(error) !== "image_not_found") throw error;
  }
  const current = await imageNow(run, image.id);
  return current === undefined ? undefined : prepareImage(run, { ...image, ...contentOf(current) });
}

const contentOf = ({ sha256, size, contentType, width, height, frames, hasAlpha, orientation, links }: Image) => ({
  sha256,
  size,
  contentType,
  width,
  height,
  frames,
  hasAlpha,
  orientation,
  links,
});

/** An image of the target that is known by its name only, as after the state was lost: with the same bytes, it is the source's. */
function adoptImage({ target, state }: MirrorRun, image: Image): KnownImage | undefined {
  const album = target.isVerbatim ? undefined : state.album(image.albumId);
  const named = album && state.imageNamed(album.id, image.name);
  if (named === undefined || named.sourceId !== undefined || named.sha256 !== image.sha256) return undefined;
  const adopted = { ...named, sourceId: image.id };
  state.saveImage(adopted);
  return adopted;
}

async function imageNow({ source, signal }: MirrorRun, id: string): Promise<Image | undefined> {
  try {
    return await source.imageById(id, { signal });
  } catch (error) {
    if (codeOf(error) === "image_not_found") return undefined;
    throw error;
  }
}

/** In their order; new images that follow each other go together. Everything is durable, and in the state, when it resolves. */
export async function commitImages<Bytes extends ReceivedBytes>(
  run: MirrorRun<Bytes>,
  prepared: readonly PreparedImage<Bytes>[],
  options: ConvergeOptions,
): Promise<void> {
  const { target, state } = run;
  const done: { readonly image: Image; readonly record: TargetImage }[] = [];
  const save = async () => {
    if (target.isVerbatim && done.length > 0)
      await target.align({ albums: [], images: done.map(({ image }) => image) });
    state.together(() => {
      for (const { image, record } of done.splice(0))
        state.saveImage({ ...record, sourceId: image.id, revision: image.revision });
    });
  };
  try {
    for (let index = 0; index < prepared.length; ) {
      const next = prepared[index] as PreparedImage<Bytes>;
      // Of an image that was committed before, the state is needed.
      if (done.some(({ image }) => image.id === next.image.id)) await save();
      const together = newImages(run, prepared.slice(index), done);
      const stored = together.length > 1 ? await storeTogether(run, together) : undefined;
      if (stored === undefined) {
        const before = state.image(next.image.id);
        const record = await convergeImage(run, next, options);
        if (record !== undefined) done.push({ image: next.image, record });
        // After a kill, the state must not say that an image has a name which another one has by then.
        if (before?.name !== record?.name || before?.albumId !== record?.albumId) await save();
        index += 1;
        continue;
      }
      for (const [place, record] of stored.entries()) {
        const { image } = together[place] as PreparedImage<Bytes>;
        run.report.changed("image", "missing", pathOf(image));
        done.push({ image, record });
      }
      index += together.length;
    }
    await save();
  } finally {
    for (const { bytes } of prepared) await bytes?.discard();
  }
}

/** Those at the beginning that are new to the target, each with another name. */
function newImages<Bytes extends ReceivedBytes>(
  { state }: MirrorRun<Bytes>,
  prepared: readonly PreparedImage<Bytes>[],
  done: readonly { readonly image: Image }[],
): readonly PreparedImage<Bytes>[] {
  const taken = new Set(done.map(({ image }) => image.id));
  const isNew = ({ image, bytes }: PreparedImage<Bytes>) => {
    const names = [image.id, `${image.albumId} ${image.name}`];
    const isOther = names.every((name) => !taken.has(name));
    for (const name of names) taken.add(name);
    const isKnown = state.image(image.id) !== undefined || state.album(image.albumId) === undefined;
    return isOther && bytes !== undefined && !isKnown;
  };
  const end = prepared.findIndex((one) => !isNew(one));
  return end < 0 ? prepared : prepared.slice(0, end);
}

/** Undefined if one of them is refused: then each goes alone. */
async function storeTogether<Bytes extends ReceivedBytes>(
  { target, state }: MirrorRun<Bytes>,
  prepared: readonly PreparedImage<Bytes>[],
): Promise<readonly TargetImage[] | undefined> {
  try {
    return await target.store(
      prepared.map(({ image, bytes }) => ({
        album: state.album(image.albumId) as KnownAlbum,
        image,
        bytes: bytes as Bytes,
        present: undefined,
      })),
    );
  } catch (error) {
    if (STALE.has(codeOf(error)) || isOfImage(error)) return undefined;
    throw error;
  }
}

const STALE: ReadonlySet<string | undefined> = new Set([
  "image_exists",
  "image_not_found",
  "album_not_found",
  "precondition_failed",
]);
const ATTEMPTS = 4;

/** Makes the target's image like the source's. Undefined if nothing is to be done. */
async function convergeImage<Bytes extends ReceivedBytes>(
  run: MirrorRun<Bytes>,
  { image, bytes }: PreparedImage<Bytes>,
  options: ConvergeOptions,
): Promise<TargetImage | undefined> {
  const more: (Bytes | undefined)[] = [];
  let isUsed = false;
  const bytesOf = async (): Promise<Bytes | undefined> => {
    // What was stored in vain can't be stored again.
    if (!isUsed && bytes !== undefined) {
      isUsed = true;
      return bytes;
    }
    const again = await prepareImage(run, image);
    more.push(again?.bytes);
    // By now it has others: its own event is behind this one.
    return again?.image.sha256 === image.sha256 ? again.bytes : undefined;
  };
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await converge(run, image, options, bytesOf);
      } catch (error) {
        if (isOfImage(error)) {
          run.report.failed(pathOf(image), error);
          return undefined;
        }
        if (attempt === ATTEMPTS || !STALE.has(codeOf(error))) throw error;
        await refresh(run, image);
      }
    }
  } finally {
    for (const one of more) await one?.discard();
  }
}

async function converge<Bytes extends ReceivedBytes>(
  { target, state, report }: MirrorRun<Bytes>,
  image: Image,
  { isListed }: ConvergeOptions,
  bytesOf: () => Promise<Bytes | undefined>,
): Promise<TargetImage | undefined> {
  const known = state.image(image.id);
  const album = state.album(image.albumId);
  // The album came or went before the listing that began this: its own event is behind this one.
  if (album === undefined) return undefined;
  if (!isListed && known !== undefined && known.revision > image.revision) return undefined;
  let current: TargetImage | undefined = known;
  if (current !== undefined && current.albumId !== album.id) {
    const from = state.albumByTarget(current.albumId);
    if (from !== undefined) current = await target.moveImage(from, current, album, image.name);
    report.changed("image", "album", pathOf(image));
  }
  if (current?.sha256 !== image.sha256) {
    const bytes = await bytesOf();
    if (bytes === undefined) return undefined;
    report.changed("image", current === undefined ? "missing" : "bytes", pathOf(image));
    [current] = await target.store([{ album, image, bytes, present: current }]);
  }
  if (current === undefined) return undefined;
  const patch = imagePatch(current, image);
  if (patch === undefined) return current;
  report.changed("image", "fields", pathOf(image));
  return target.updateImage(album, current, patch);
}

/** Looks at the target again, and frees the name for the image. */
async function refresh(run: MirrorRun, image: Image): Promise<void> {
  const { target, state } = run;
  const known = state.image(image.id);
  if (known !== undefined) {
    const found = await target.imageById(known.id);
    if (found === undefined) state.removeImage(known.id);
    else state.saveImage({ ...known, ...found });
  }
  const album = state.album(image.albumId);
  const holder = album && (await target.imageNamed(album, image.name));
  const own = state.image(image.id);
  if (album === undefined || holder === undefined || holder.id === own?.id) return;
  const other = state.imageByTarget(holder.id);
  const isLeftover = other?.sourceId === undefined;
  // A killed run may have created it, and not said so.
  if (isLeftover && own === undefined && (!target.isVerbatim || holder.id === image.id))
    return state.saveImage({ ...holder, sourceId: image.id, revision: 0 });
  const aside = await target.updateImage(album, holder, { name: newAsideName() });
  state.saveImage({ sourceId: undefined, revision: 0, ...other, ...aside });
}

export async function removeImage(run: MirrorRun, image: KnownImage): Promise<void> {
  const { target, state, report } = run;
  const album = state.albumByTarget(image.albumId);
  if (album !== undefined) {
    try {
      await target.deleteImage(album, image);
    } catch (error) {
      if (codeOf(error) !== "image_not_found" && codeOf(error) !== "album_not_found") throw error;
      // It may have another name than the state says.
      const found = await target.imageById(image.id);
      const place = found && state.albumByTarget(found.albumId);
      if (found !== undefined && place !== undefined) await target.deleteImage(place, found);
    }
  }
  state.removeImage(image.id);
  report.changed("image", "extra", `${album?.name ?? ""}/${image.name}`);
}
