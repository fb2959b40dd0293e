import { describeError, type Place } from "../describe-error.ts";
import type { MirrorTarget, ReceivedBytes } from "./target.ts";

const places = new WeakMap<object, Place>();

/** Remembers that the error came from the target, so that it is not told of the source. */
export function placeAtTarget(error: unknown, place: Place): void {
  if (typeof error === "object" && error !== null) places.set(error, place);
}

export const isOfTarget = (error: unknown): boolean => typeof error === "object" && error !== null && places.has(error);

/** What is wrong with the target must not be said of the source. */
export const describeSide = (error: unknown, source: Place): string =>
  describeError(error, (typeof error === "object" && error !== null && places.get(error)) || source);

/** The target, whose failures tell of it. What `receive` fails with is the source's. */
export function tellOfTarget<Bytes extends ReceivedBytes>(
  target: MirrorTarget<Bytes>,
  place: Place,
): MirrorTarget<Bytes> {
  const failed = (error: unknown): never => {
    placeAtTarget(error, place);
    throw error;
  };
  async function* listed<Item>(items: AsyncIterable<Item>): AsyncGenerator<Item, void> {
    try {
      yield* items;
    } catch (error) {
      failed(error);
    }
  }
  return {
    ...target,
    identity: () => target.identity().catch(failed),
    albums: () => listed(target.albums()),
    images: () => listed(target.images()),
    albumNamed: (name) => target.albumNamed(name).catch(failed),
    imageNamed: (album, name) => target.imageNamed(album, name).catch(failed),
    imageById: (id) => target.imageById(id).catch(failed),
    createAlbum: (album) => target.createAlbum(album).catch(failed),
    updateAlbum: (album, patch) => target.updateAlbum(album, patch).catch(failed),
    deleteAlbum: (album) => target.deleteAlbum(album).catch(failed),
    store: (images) => target.store(images).catch(failed),
    updateImage: (album, image, patch) => target.updateImage(album, image, patch).catch(failed),
    moveImage: (from, image, to, name) => target.moveImage(from, image, to, name).catch(failed),
    deleteImage: (album, image) => target.deleteImage(album, image).catch(failed),
    digestOf: (image) => target.digestOf(image).catch(failed),
  };
}
