import { type Album, type Image, StoreError } from "../../client/src/index.ts";
import { contentUrl, ifMatch, store, zipUrl } from "../shared/store.ts";

export interface Progress {
  readonly done: number;
  readonly total: number;
}

export interface Outcome {
  readonly finished: number;
  readonly failures: readonly unknown[];
}

/** Of pictures. */
export interface Ids extends Iterable<string> {
  readonly size: number;
}

export type OnProgress = (progress: Progress) => void;
const AT_ONCE = 4;
const MAX_FAILURES = 20;
const TRIES = 5;

/** Does it for each picture, some at a time. One that is gone meanwhile counts as done. */
async function forEach(ids: Ids, onProgress: OnProgress, act: (image: Image) => Promise<void>): Promise<Outcome> {
  const failures: unknown[] = [];
  const waiting = ids[Symbol.iterator]();
  let done = 0;
  let finished = 0;
  const work = async () => {
    while (failures.length < MAX_FAILURES) {
      const next = waiting.next();
      if (next.done === true) return;
      try {
        await act(await store.imageById(next.value));
        finished += 1;
      } catch (error) {
        if (!(error instanceof StoreError && error.code === "image_not_found")) failures.push(error);
      }
      done += 1;
      onProgress({ done, total: ids.size });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { finished, failures };
}

export const deleteImages = (ids: Ids, onProgress: OnProgress): Promise<Outcome> =>
  forEach(ids, onProgress, ({ album, name }) => store.delete(album, name));

/** Adds to the tags that are there, also where another client changes them at the same time. */
export const addTags = (ids: Ids, onProgress: OnProgress, added: readonly string[]): Promise<Outcome> =>
  forEach(ids, onProgress, async (image) => {
    let current = image;
    for (let tries = 1; ; tries += 1) {
      const tags = [...new Set([...current.tags, ...added])];
      const { album, name } = current;
      try {
        const path = { album, image: name };
        await store.send("PATCH", "/v1/albums/{album}/images/{image}", {
          path,
          body: { tags },
          headers: ifMatch(current),
        });
        return;
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== "precondition_failed" || tries === TRIES) throw error;
        current = await store.imageById(image.id);
      }
    }
  });

/** One picture as it is; several as one archive, which the store makes of a whole album, and the browser of a part of one. */
export async function downloadImages(
  ids: Ids,
  onProgress: OnProgress,
  album: Pick<Album, "name" | "imageCount">,
): Promise<Outcome> {
  if (ids.size === 1) return forEach(ids, onProgress, async (image) => download(image));
  if (ids.size === album.imageCount) {
    save(zipUrl(album.name), `${album.name}.zip`);
    return { finished: ids.size, failures: [] };
  }
  const { zipImages } = await import("../later.ts");
  return zipImages(ids, onProgress, album.name);
}

export const download = (image: Pick<Image, "id" | "sha256" | "name">): void => save(contentUrl(image), image.name);

/** Lets the browser save what an URL gives. */
export function save(url: string, name: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}

/** Into another album. Where that has an image of the name, both stay. */
export const moveImages = (ids: Ids, onProgress: OnProgress, album: string): Promise<Outcome> =>
  forEach(ids, onProgress, async (image) => {
    await store.send("POST", "/v1/albums/{album}/images/{image}/move", {
      path: { album: image.album, image: image.name },
      body: { album, ifExists: "keep-both" },
    });
  });
