import { type Image, StoreError } from "../../../client/src/index.ts";
import { MAX_TAGS } from "../../domain/text.ts";
import { seeHelp, UsageError } from "../arguments.ts";
import { EXIT } from "../context.ts";
import { refusalOf } from "./batches.ts";
import type { RemoteCall } from "./connection.ts";
import { describeError, isFatal } from "./describe-error.ts";
import { imagesOf, parseTarget, requireOperands } from "./records.ts";

/** Of a batch: with the longest tags and other fields, the store can keep the response to it. */
const AT_ONCE = 100;

/** The tags of an image before the command, and after it. */
type Change = (tags: Image["tags"]) => Image["tags"];

export async function changeTags(call: RemoteCall): Promise<number> {
  requireOperands(call, 1, "an album or ALBUM/IMAGE");
  const [path = "", ...tags] = call.operands;
  const { album, image } = parseTarget(path, call);
  const isRemoval = call.has("remove");
  if (isRemoval && tags.length === 0) throw new UsageError(`--remove needs a tag. ${seeHelp("tag")}`);
  const change: Change = isRemoval
    ? (before) => before.filter((tag) => !tags.includes(tag))
    : (before) => [...new Set([...before, ...tags])];
  if (image !== undefined) return changeOne(call, album, image, tags.length > 0 ? change : undefined);
  if (tags.length === 0)
    throw new UsageError(`"tag" needs ALBUM/IMAGE, or a tag for all images of an album. ${seeHelp("tag")}`);
  return changeAll(call, album, change);
}

async function changeOne(call: RemoteCall, album: string, name: string, change: Change | undefined): Promise<number> {
  const { client, signal, print } = call;
  const record = await (change === undefined
    ? client.image(album, name, { signal })
    : changeTagsOf(call, album, name, change));
  await print(record, record.tags.join("\n"));
  return EXIT.ok;
}

async function changeTagsOf(
  { client, signal }: RemoteCall,
  album: string,
  name: string,
  change: Change,
): Promise<Image> {
  const { tags } = await client.image(album, name, { signal });
  return client.update(album, name, { tags: [...change(tags)] }, { signal });
}

/** Images that are refused keep no others from their tags. */
async function changeAll(call: RemoteCall, album: string, change: Change): Promise<number> {
  let images: Image[] = [];
  let isComplete = true;
  const send = async () => {
    if (images.length > 0) isComplete = (await changeSome(call, album, images, change)) && isComplete;
    images = [];
  };
  for await (const image of imagesOf(call, album)) {
    const { length } = change(image.tags);
    // A change adds tags or removes some.
    if (length === image.tags.length) continue;
    if (length <= MAX_TAGS) images.push(image);
    else {
      // The store would refuse the whole batch.
      call.context.err(`${album}/${image.name}: it would have ${length} tags; at most ${MAX_TAGS} are allowed\n`);
      isComplete = false;
    }
    if (images.length === AT_ONCE) await send();
  }
  await send();
  return isComplete ? EXIT.ok : EXIT.failed;
}

/** Returns whether all were changed. */
async function changeSome(call: RemoteCall, album: string, images: readonly Image[], change: Change): Promise<boolean> {
  const { client, signal, print, context } = call;
  const operations = images.map(({ id, revision, name, tags }) => ({
    type: "updateImage" as const,
    album,
    image: name,
    body: { tags: [...change(tags)] },
    // Tags that another client has set meanwhile must stay.
    ifMatch: `"${id}.${revision}.-"`,
  }));
  let isComplete = true;
  for (const [index, outcome] of (await client.batch(operations, { atomic: false, signal })).entries()) {
    const { name = "" } = images[index] ?? {};
    try {
      const error = refusalOf(outcome);
      const hasChanged = error?.code === "precondition_failed";
      if (error !== undefined && !hasChanged) throw error;
      const record = hasChanged ? await changeTagsOf(call, album, name, change) : outcome.image;
      if (record !== undefined) await print(record, [`${album}/${name}`, ...record.tags].join("\t"));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof StoreError) || isFatal(error)) throw error;
      context.err(`${album}/${name}: ${describeError(error, call)}\n`);
      isComplete = false;
    }
  }
  return isComplete;
}
