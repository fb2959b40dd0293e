import type { Album } from "../../../src/domain/album.ts";
import type { Image } from "../../../src/domain/image.ts";
import {
  type AlbumWorld,
  applyOperation,
  describeAlbum,
  describeImage,
  describeWorld,
  EMPTY_WORLD,
  type Operation,
} from "./album-world.ts";
import { hasSerialOrder, type Observed } from "./serial-order.ts";

/** What one client does on one node, one after another. */
export interface Racer {
  readonly url: string;
  readonly operations: readonly Operation[];
}

export interface Race {
  /** Done before, each answered before the next. */
  readonly prepared: readonly Operation[];
  readonly racers: readonly Racer[];
  /** Asked afterwards what is there. */
  readonly judge: string;
}

export interface RaceReport {
  /** What no order explains; undefined when one does. */
  readonly problem: string | undefined;
  readonly answers: readonly string[];
  /** Ids of images that were answered as created. */
  readonly created: readonly string[];
}

/** Bytes by digest, of all that is uploaded. */
export type Pictures = ReadonlyMap<string, Uint8Array<ArrayBuffer>>;

interface Answered {
  readonly operation: Operation;
  readonly status: number;
  readonly body: unknown;
  readonly isReplayed: boolean;
  readonly from: number;
  readonly until: number;
}

const IMAGE = "racing.png";

/** All racers at once on one album name, then a look at what is left. */
export async function runRace(race: Race, album: string, pictures: Pictures): Promise<RaceReport> {
  const answered: Answered[] = [];
  const run = async (url: string, operations: readonly Operation[]): Promise<void> => {
    for (const operation of operations) answered.push(await ask(url, album, operation, pictures));
  };
  await run(race.judge, race.prepared);
  await Promise.all(race.racers.map(({ url, operations }) => run(url, operations)));

  const labels = new Map<string, string>();
  for (const [index, { status, body, isReplayed }] of answered.entries())
    if (status === 201 && !isReplayed) labels.set((body as { id: string }).id, String(index));
  const observed = answered.map((answer) => ({ ...answer, answer: describeAnswer(answer, labels) }));
  const end = await lookAt(race.judge, album, labels);
  const found = hasSerialOrder<AlbumWorld, Operation>(
    observed,
    EMPTY_WORLD,
    applyOperation,
    (world) => describeWorld(world) === end,
  );
  return {
    problem: found ? undefined : describeProblem(race, album, observed, end),
    answers: observed.map(({ answer }) => answer),
    created: answered
      .filter(({ operation, status, isReplayed }) => isUpload(operation) && status === 201 && !isReplayed)
      .map(({ body }) => (body as Image).id),
  };
}

const isUpload = ({ kind }: Operation) => kind === "createImage" || kind === "putImage";

async function ask(url: string, album: string, operation: Operation, pictures: Pictures): Promise<Answered> {
  const from = performance.now();
  const response = await send(url, album, operation, pictures);
  const text = response.headers.get("content-type")?.includes("json") ? await response.text() : "";
  const isReplayed = response.headers.get("idempotent-replayed") === "true";
  const body: unknown = text === "" ? sha256(await response.bytes()) : JSON.parse(text);
  return { operation, status: response.status, body, isReplayed, from, until: performance.now() };
}

function send(url: string, album: string, operation: Operation, pictures: Pictures): Promise<Response> {
  const albums = `${url}/v1/albums`;
  const image = `${albums}/${album}/images/${IMAGE}`;
  const upload = (method: string, target: string, sha256: string, key?: string) =>
    fetch(target, {
      method,
      headers: { "content-type": "image/png", ...(key === undefined ? {} : { "idempotency-key": key }) },
      body: pictures.get(sha256) ?? null,
    });
  const { kind } = operation;
  if (kind === "createImage")
    return upload("POST", `${albums}/${album}/images?name=${IMAGE}`, operation.sha256, operation.key);
  if (kind === "putImage") return upload("PUT", `${image}/content`, operation.sha256);
  if (kind === "readContent") return fetch(`${image}/content`);
  if (kind === "deleteImage") return fetch(image, { method: "DELETE" });
  if (kind === "deleteAlbum") return fetch(`${albums}/${album}?recursive=true`, { method: "DELETE" });
  if (kind === "deleteEmptyAlbum") return fetch(`${albums}/${album}`, { method: "DELETE" });
  const headers = { "content-type": "application/json" };
  return fetch(albums, { method: "POST", headers, body: JSON.stringify({ name: album }) });
}

/** As the model says it. An id that nobody made shows as itself. */
function describeAnswer(
  { operation, status, body, isReplayed }: Answered,
  labels: ReadonlyMap<string, string>,
): string {
  if (status >= 400) return `${status} ${(body as { code?: string }).code}`;
  const label = (id: string) => labels.get(id) ?? id;
  if (operation.kind === "createAlbum") return `${status} ${describeAlbum(label((body as Album).id))}`;
  if (operation.kind === "readContent") return `${status} ${String(body).slice(0, 8)}`;
  if (!isUpload(operation)) return String(status);
  const image = body as Image;
  const told = describeImage({ ...image, id: label(image.id), albumId: label(image.albumId) });
  return `${status} ${told}${isReplayed ? " replayed" : ""}`;
}

/** The album by its record, its listing and the bytes of what is listed; where they disagree no world is like it. */
async function lookAt(url: string, album: string, labels: ReadonlyMap<string, string>): Promise<string> {
  const label = (id: string) => labels.get(id) ?? id;
  const response = await fetch(`${url}/v1/albums/${album}`);
  const record = (await response.json()) as Album;
  if (response.status === 404) return "nothing";
  const listing = await fetch(`${url}/v1/albums/${album}/images`);
  const { items } = (await listing.json()) as { items: readonly Image[] };
  if (items.length !== record.imageCount) return `${items.length} images where ${record.imageCount} are counted`;
  const [image] = items;
  if (image === undefined) return describeAlbum(label(record.id));
  const content = await fetch(url + image.links.content);
  const digest = sha256(await content.bytes());
  if (content.status !== 200 || digest !== image.sha256) return `a record without its bytes: ${content.status}`;
  if (items.length > 1 || image.albumId !== record.id) return `images ${JSON.stringify(items)}`;
  return describeImage({ ...image, id: label(image.id), albumId: label(image.albumId) });
}

function describeProblem(race: Race, album: string, observed: readonly Observed<Operation>[], end: string): string {
  const lines = observed.map(({ operation, answer, from, until }, index) => {
    const { kind, ...rest } = operation;
    return `${index} ${kind} ${JSON.stringify(rest)} ${from.toFixed(1)}–${until.toFixed(1)}: ${answer}`;
  });
  const nodes = race.racers.map(({ url, operations }) => `${operations.map(({ kind }) => kind).join(", ")} at ${url}`);
  return [`no order explains what happened to ${album} (${nodes.join("; ")})`, ...lines, `in the end: ${end}`].join(
    "\n",
  );
}

const sha256 = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
