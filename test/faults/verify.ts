import type { Album } from "../../src/domain/album.ts";
import type { Image } from "../../src/domain/image.ts";
import { type AlbumState, describeState, type Entry, type Ledger, leaveDoubt, sameState } from "./ledger.ts";
import { listAll, readLog } from "./read-store.ts";
import { replay } from "./replay.ts";
import { runCommand, type ServerOptions } from "./server-process.ts";

const READERS = 8;

/**
 * Compares a running store with what its clients were promised, and answers what is wrong. Nothing else may be writing.
 * What was in doubt is certain afterwards, so that the ledger can go on to the next fault.
 */
export async function verify(url: string, ledger: Ledger, options: ServerOptions): Promise<string[]> {
  const problems = ledger.problems.splice(0);
  const albums = await listAll<Album>(`${url}/v1/albums`);
  const images = await listAll<Image>(`${url}/v1/images`);
  verifyPromises(albums, images, ledger, problems);
  await verifyRecords(url, albums, images, ledger, problems);
  // Bytes without a record are the sweeper's until the grace has passed, however short a test makes it.
  const check = await runCommand({ ...options, env: { ...options.env, IMAGE_STORE_GRACE: "1h" } }, "check");
  if (check.exitCode !== 0) problems.push(`check ended with ${check.exitCode}: ${check.output}`);
  return problems;
}

/** Each has its bytes, and all are what the log says. */
export async function verifyRecords(
  url: string,
  albums: readonly Album[],
  images: readonly Image[],
  ledger: Pick<Ledger, "events">,
  problems: string[],
): Promise<void> {
  await verifyBytes(url, images, problems);
  await verifyLog(url, albums, images, ledger, problems);
}

function verifyPromises(albums: readonly Album[], images: readonly Image[], ledger: Ledger, problems: string[]): void {
  const found = new Map<string, NonNullable<AlbumState>>();
  for (const album of albums) {
    const slot = album.name.slice(0, album.name.lastIndexOf("."));
    const own = images.filter((image) => image.albumId === album.id);
    if (own.length !== album.imageCount) problems.push(`${album.name}: ${own.length} images, not ${album.imageCount}`);
    if (found.has(slot) || !ledger.entries.has(slot)) problems.push(`nobody made the album ${album.name}`);
    found.set(slot, { name: album.name, images: Object.fromEntries(own.map((image) => [image.name, image.sha256])) });
  }
  const homeless = images.filter((image) => !albums.some((album) => album.id === image.albumId));
  if (homeless.length > 0) problems.push(`${homeless.length} images without an album`);
  for (const entry of ledger.entries.values()) settle(entry, found.get(entry.slot) ?? null, problems);
}

function settle(entry: Entry, found: AlbumState, problems: string[]): void {
  const kept = sameState(found, entry.certain);
  const doneInDoubt = entry.possible !== undefined && sameState(found, entry.possible);
  if (!kept && !doneInDoubt) {
    const doubt = entry.possible === undefined ? "" : `, or in doubt ${describeState(entry.possible)}`;
    problems.push(`acknowledged ${describeState(entry.certain)}${doubt}, found ${describeState(found)}`);
  }
  entry.certain = found;
  leaveDoubt(entry);
}

async function verifyBytes(url: string, images: readonly Image[], problems: string[]): Promise<void> {
  const queue = images.values();
  const reader = async () => {
    for (const image of queue) {
      const response = await fetch(url + image.links.content);
      const bytes = await response.bytes();
      const digest = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
      if (response.status !== 200 || digest !== image.sha256 || bytes.length !== image.size)
        problems.push(`bytes of ${image.album}/${image.name}: status ${response.status}, ${bytes.length} bytes`);
    }
  };
  await Promise.all(Array.from({ length: READERS }, reader));
}

async function verifyLog(
  url: string,
  albums: readonly Album[],
  images: readonly Image[],
  ledger: Pick<Ledger, "events">,
  problems: string[],
): Promise<void> {
  const events = await readLog(url);
  const ids = new Map(events.map((event) => [event.sequence, event.id]));
  for (const [sequence, id] of ledger.events)
    if (ids.get(sequence) !== id) problems.push(`event ${sequence} was read before and is gone or another`);
  ledger.events.clear();
  for (const [sequence, id] of ids) ledger.events.set(sequence, id);

  const replayed = replay(events, problems);
  compare("album", albums, replayed.albums, problems);
  compare("image", images, replayed.images, problems);
}

/** What a listing shows must be what the log says, but for members that follow from another record. */
function compare<Item extends Album | Image>(
  kind: string,
  listed: readonly Item[],
  replayed: ReadonlyMap<string, Item>,
  problems: string[],
): void {
  const own = (item: Item | undefined) => item && { ...item, imageCount: 0, byteCount: 0, album: "", links: {} };
  for (const item of listed) {
    const logged = own(replayed.get(item.id));
    if (!Bun.deepEquals(own(item), logged))
      problems.push(`${kind} ${JSON.stringify(item)} is by the log ${JSON.stringify(logged)}`);
  }
  if (replayed.size !== listed.length)
    problems.push(`${listed.length} ${kind}s are listed, ${replayed.size} are alive by the log`);
}
