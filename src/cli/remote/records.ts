import { type Album, type components, type Image, StoreError } from "../../../client/src/index.ts";
import { seeHelp, UsageError } from "../arguments.ts";
import { EXIT } from "../context.ts";
import { formatBytes } from "../progress-bar.ts";
import { groupsOf, refusalsOf } from "./batches.ts";
import type { RemoteCall } from "./connection.ts";
import { describeError, GIVE_KEY, isFatal } from "./describe-error.ts";

const PAGE = { pageSize: 1000 };

/** `ALBUM/IMAGE`: neither name has a slash. */
export interface Target {
  readonly album: string;
  readonly image: string | undefined;
}

export function parseTarget(text: string, { command }: Pick<RemoteCall, "command">): Target {
  const [album = "", image, ...rest] = text.split("/");
  if (album === "" || image === "" || rest.length > 0)
    throw new UsageError(`"${text}" is not an album or ALBUM/IMAGE. ${seeHelp(command)}`);
  return { album, image };
}

/** @throws UsageError if there are fewer operands */
export function requireOperands({ command, operands }: RemoteCall, least: number, what: string): void {
  if (operands.length < least || operands.includes(""))
    throw new UsageError(`"${command}" needs ${what}. ${seeHelp(command)}`);
}

export async function list(call: RemoteCall): Promise<number> {
  const { client, operands, signal, print } = call;
  const [album] = operands;
  const tag = call.text("tag");
  if (album === undefined && tag !== undefined) throw new UsageError(`--tag needs an album. ${seeHelp("ls")}`);
  if (album === undefined) return listAlbums(call);
  const filter = { ...PAGE, ...(tag === undefined ? {} : { tag }) };
  for await (const found of client.images(album, filter, { signal })) await print(found, lineOfImage(found));
  return EXIT.ok;
}

async function listAlbums(call: RemoteCall): Promise<number> {
  const { client, signal, print, context } = call;
  let isEmpty = true;
  for await (const found of client.albums.list(PAGE, { signal })) {
    isEmpty = false;
    await print(found, lineOfAlbum(found));
  }
  if (isEmpty && (await isAnonymous(call)))
    context.err(`image-store: The store shows no album to clients without a key. ${GIVE_KEY}\n`);
  return EXIT.ok;
}

/** Only for a hint, so a failure counts as no. */
async function isAnonymous({ client, key, signal }: RemoteCall): Promise<boolean> {
  if (key !== undefined) return false;
  try {
    return (await client.send("GET", "/v1/me", { signal })).caller.kind === "anonymous";
  } catch {
    return false;
  }
}

type ImagePage = components["schemas"]["ImagePage"];

/** All images of an album in the order of their names. It requests a page while the images of the one before are used. */
export async function* imagesOf(
  { client, signal }: Pick<RemoteCall, "client" | "signal">,
  album: string,
): AsyncGenerator<Image, void> {
  const read = (pageToken?: string): Promise<ImagePage> => {
    const query = { pageSize: 1000, ...(pageToken === undefined ? {} : { pageToken }) };
    const page = client.send("GET", "/v1/albums/{album}/images", { path: { album }, query, signal });
    // Awaited when the images before are used up, or never.
    page.catch(() => undefined);
    return page;
  };
  for (let page: Promise<ImagePage> | undefined = read(); page !== undefined; ) {
    const { items, nextPageToken }: ImagePage = await page;
    page = nextPageToken == null ? undefined : read(nextPageToken);
    yield* items;
  }
}

const minuteOf = (time: string): string => time.slice(0, 16).replace("T", " ");

const lineOfAlbum = ({ name, imageCount, byteCount, updatedAt }: Album): string =>
  `${minuteOf(updatedAt)}  ${String(imageCount).padStart(9)}  ${formatBytes(byteCount).padStart(11)}  ${name}`;

const lineOfImage = ({ name, size, width, height, createdAt }: Image): string =>
  `${minuteOf(createdAt)}  ${`${width}x${height}`.padStart(11)}  ${formatBytes(size).padStart(11)}  ${name}`;

export async function stat(call: RemoteCall): Promise<number> {
  requireOperands(call, 1, "an album or ALBUM/IMAGE");
  const { client, signal } = call;
  const { album, image } = parseTarget(call.operands[0] ?? "", call);
  const record = await (image === undefined
    ? client.albums.get(album, { signal })
    : client.image(album, image, { signal }));
  await printFields(call, record);
  return EXIT.ok;
}

/** One field per line. */
export async function printFields({ print }: RemoteCall, record: object): Promise<void> {
  const lines = Object.entries(record).map(([field, value]) => `${`${field}:`.padEnd(16)}${fieldText(value)}`);
  await print(record, lines.join("\n"));
}

const fieldText = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** Deletes as many as fit into a batch with each request. Those that are refused keep no other from being deleted. */
export async function remove(call: RemoteCall): Promise<number> {
  requireOperands(call, 1, "an album or ALBUM/IMAGE");
  const { operands, print, context } = call;
  const targets = operands.map((path) => ({ ...parseTarget(path, call), path }));
  let code: number = EXIT.ok;
  for (const batch of groupsOf(targets)) {
    const errors = await removeAll(call, batch);
    for (const [index, { path }] of batch.entries()) {
      const error = errors[index];
      if (error === undefined) await print({ action: "delete", path }, `Deleted ${path}`);
      else if (!isFatal(error)) {
        context.err(`${path}: ${describeError(error, call)}\n`);
        code = EXIT.failed;
      }
    }
    const fatal = errors.find(isFatal);
    if (fatal !== undefined) throw fatal;
  }
  return code;
}
/** Returns why each was refused; undefined for one that was deleted. */
async function removeAll(call: RemoteCall, targets: readonly Target[]): Promise<readonly (StoreError | undefined)[]> {
  const recursive = call.has("recursive");
  const [first, ...others] = targets;
  // The refusal of a request of its own names the one right that is missing.
  if (first !== undefined && others.length === 0) return [await refusalOf(removeOne(call, first, recursive))];
  const operations = targets.map(({ album, image }) =>
    image === undefined
      ? ({ type: "deleteAlbum", album, recursive } as const)
      : ({ type: "deleteImage", album, image } as const),
  );
  return refusalsOf(call, operations);
}

const removeOne = ({ client, signal }: RemoteCall, { album, image }: Target, recursive: boolean): Promise<void> =>
  image === undefined ? client.albums.delete(album, { recursive, signal }) : client.delete(album, image, { signal });

const refusalOf = (work: Promise<void>): Promise<StoreError | undefined> =>
  work.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof StoreError) return error;
      throw error;
    },
  );
