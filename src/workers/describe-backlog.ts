import type { Catalog, UndescribedImage } from "../ports.ts";

/** Yields each image without a description once: the newest and the oldest in turn. */
export interface DescribeBacklog {
  /** Undefined once both ends have met. */
  next(): Promise<UndescribedImage | undefined>;
}

export interface BacklogOptions {
  /** Last digits of the ids of the images to return. Default: all. */
  readonly share?: readonly string[] | undefined;
  /** Number of notifications of new images. */
  readonly news: () => number;
  /** Whether the worker is trying these bytes, or has tried and failed. */
  readonly isKnown: (image: UndescribedImage) => boolean;
}

/** Images per query; all are worked on before newer ones are looked for. */
const BATCH = 10;

/**
 * One pass over the backlog. Every second image is the newest, including those uploaded during the pass, since clients
 * wait for new images. The others are the oldest, so that a steady stream of uploads does not starve them.
 */
export function createDescribeBacklog(
  catalog: Pick<Catalog, "undescribedImages">,
  { share, news, isKnown }: BacklogOptions,
): DescribeBacklog {
  const ends = {
    newest: { batch: [] as UndescribedImage[], position: undefined as string | undefined },
    oldest: { batch: [] as UndescribedImage[], position: undefined as string | undefined },
  };
  let seen = news();
  let hasUnknown = false;
  let turn: keyof typeof ends = "newest";
  let reading: Promise<unknown> = Promise.resolve();

  async function take(end: keyof typeof ends): Promise<UndescribedImage | undefined> {
    const { batch } = ends[end];
    if (batch.length === 0) await read(end);
    return batch.shift();
  }

  async function read(end: keyof typeof ends): Promise<void> {
    const { newest, oldest } = ends;
    // Images that failed again must not keep the pass from older ones.
    if (end === "newest" && hasUnknown && news() > seen) newest.position = undefined;
    if (end === "newest") [seen, hasUnknown] = [news(), false];
    const found = await catalog.undescribedImages({
      limit: BATCH,
      order: end,
      before: newest.position,
      after: oldest.position,
      share,
    });
    ends[end].batch.push(...found);
    ends[end].position = found.at(-1)?.imageId ?? ends[end].position;
    if (end === "newest") hasUnknown = found.some((image) => !isKnown(image));
  }

  async function takeInTurn(): Promise<UndescribedImage | undefined> {
    const first = turn;
    turn = first === "newest" ? "oldest" : "newest";
    return (await take(first)) ?? (await take(turn));
  }

  return {
    next() {
      // One query at a time: two concurrent ones would return the same images.
      const taken = reading.then(takeInTurn);
      reading = taken.catch(() => undefined);
      return taken;
    },
  };
}
