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

export type OnProgress = (progress: Progress) => void;
const AT_ONCE = 4;
const MAX_FAILURES = 20;
const TRIES = 5;

/** Does it for each picture, some at a time. One that is gone meanwhile counts as done. */
async function forEach(
  ids: readonly string[],
  onProgress: OnProgress,
  act: (image: Image) => Promise<void>,
): Promise<Outcome> {
  const failures: unknown[] = [];
  const waiting = [...ids];
  let done = 0;
  let finished = 0;
  const work = async () => {
    for (let id = waiting.shift(); id !== undefined && failures.length < MAX_FAILURES; id = waiting.shift()) {
      try {
        await act(await store.imageById(id));
        finished += 1;
      } catch (error) {
        if (!(error instanceof StoreError && error.code === "image_not_found")) failures.push(error);
      }
      done += 1;
      onProgress({ done, total: ids.length });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { finished, failures };
}

export const deleteImages = (ids: readonly string[], onProgress: OnProgress): Promise<Outcome> =>
  forEach(ids, onProgress, ({ album, name }) => store.delete(album, name));

/** Adds to the tags that are there, also where another client changes them at the same time. */
export const addTags = (ids: readonly string[], onProgress: OnProgress, added: readonly string[]): Promise<Outcome> =>
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
  ids: readonly string[],
  onProgress: OnProgress,
  album: Pick<Album, "name" | "imageCount">,
): Promise<Outcome> {
  if (ids.length === 1) return forEach(ids, onProgress, async (image) => download(image));
  if (ids.length === album.imageCount) {
    save(zipUrl(album.name), `${album.name}.zip`);
    return { finished: ids.length, failures: [] };
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
export const moveImages = (ids: readonly string[], onProgress: OnProgress, album: string): Promise<Outcome> =>
  forEach(ids, onProgress, async (image) => {
    await store.send("POST", "/v1/albums/{album}/images/{image}/move", {
      path: { album: image.album, image: image.name },
      body: { album, ifExists: "keep-both" },
    });
  });
