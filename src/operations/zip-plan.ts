import { setImmediate } from "node:timers/promises";
import { createLimit } from "../concurrency/limit.ts";
import { unlessAborted } from "../concurrency/timeout.ts";
import { StoreError } from "../domain/errors.ts";
import { fileNameOf, foldFileName, markedFileName } from "../domain/file-names.ts";
import { type ZipDirectory, zipEndSize, zipEntrySize, zipHeaderSize } from "../domain/zip.ts";
import type { Catalog, ImageFile } from "../ports.ts";

/**
 * Where everything of an archive is, as far as it takes to begin anywhere in it: the files are read from the catalog again, a page
 * at a time. All of it follows from the records, so every node makes the same plan.
 */
export interface ZipPlan {
  readonly albumId: string;
  /** Images that were added since are not in the archive. */
  readonly createdUntil: number;
  readonly pages: readonly ZipPage[];
  readonly directory: ZipDirectory;
  readonly size: number;
  /** Of the name, size, digest and time of every file, in their order. Archives with the same are equal. */
  readonly sha256: string;
}

/** Files that follow each other. Positions are from the start of the archive. */
export interface ZipPage {
  /** The name of the image before the first one. */
  readonly after: string;
  /** Where the header of the first file is. */
  readonly start: number;
  /** Where the first file is in the directory. */
  readonly entriesStart: number;
  readonly sha256: string;
  /** For each file the number of the mark in its name, 0 for none. Absent: none has one. */
  readonly marks: Uint8Array | undefined;
}

export interface PlannedFile {
  readonly image: ImageFile;
  /** In the archive, in UTF-8. */
  readonly name: Uint8Array;
  readonly size: number;
  readonly modifiedAt: number;
  /** Where its header, its bytes and its entry in the directory are. */
  readonly start: number;
  readonly dataStart: number;
  readonly entryStart: number;
}

export interface ZipPlanner {
  /**
   * Passes over the records of all images of the album. Calls for one album share a pass that has not begun.
   * @throws StoreError `busy` when too many passes wait; the signal's reason
   */
  plan(albumId: string, signal: AbortSignal): Promise<ZipPlan>;
}

type PlanCatalog = Pick<Catalog, "imageFiles" | "newestImageAt">;

/** Of one query, which on SQLite keeps every other request waiting for about two milliseconds. */
const PAGE_FILES = 250;
/** Further passes wait, so the other requests keep most of the catalog. */
const PASSES_AT_ONCE = 2;
/** Each may take seconds: clients are better told to come back than to wait behind more. */
const MAX_WAITING = 64;
/** Changes with anything but the records that changes the archive. */
const LAYOUT = "image-store zip 1\n";
const MAX_MARK = 255;

/** A pass that waits for its turn, and those who wait for it. */
interface Pass {
  readonly plan: Promise<ZipPlan>;
  readonly abort: AbortController;
  callers: number;
}

export function createZipPlanner(catalog: PlanCatalog): ZipPlanner {
  const inTurn = createLimit(PASSES_AT_ONCE);
  const waiting = new Map<string, Pass>();

  const forget = (albumId: string, pass: Pass) => {
    if (waiting.get(albumId) === pass) waiting.delete(albumId);
  };

  function start(albumId: string): Pass {
    if (waiting.size >= MAX_WAITING) throw new StoreError("busy", "Too many archives are asked for. Try again soon.");
    const { promise, resolve } = Promise.withResolvers<ZipPlan>();
    const pass: Pass = { plan: promise, abort: new AbortController(), callers: 0 };
    waiting.set(albumId, pass);
    const begin = async () => {
      // Callers from now on may know of a change that this pass misses.
      forget(albumId, pass);
      pass.abort.signal.throwIfAborted();
      return makePlan(catalog, albumId, pass.abort.signal);
    };
    resolve(inTurn(begin));
    return pass;
  }

  return {
    async plan(albumId, signal) {
      signal.throwIfAborted();
      const pass = waiting.get(albumId) ?? start(albumId);
      pass.callers += 1;
      try {
        return await unlessAborted(pass.plan, signal);
      } finally {
        pass.callers -= 1;
        if (pass.callers === 0) {
          forget(albumId, pass);
          pass.abort.abort();
        }
      }
    },
  };
}

async function makePlan(catalog: PlanCatalog, albumId: string, signal: AbortSignal): Promise<ZipPlan> {
  const createdUntil = await catalog.newestImageAt(albumId);
  const nameFile = createNames();
  const hasher = new Bun.CryptoHasher("sha256").update(LAYOUT);
  const pages: ZipPage[] = [];
  let [start, entriesSize, files, after] = [0, 0, 0, ""];
  // Where the directory begins is known at the end.
  for (let isLast = false; !isLast; ) {
    signal.throwIfAborted();
    const images = await catalog.imageFiles({ albumId, createdUntil, after, limit: PAGE_FILES });
    isLast = images.length < PAGE_FILES;
    if (images.length === 0) break;
    const page = { after, start, entriesStart: entriesSize };
    const marks = new Uint8Array(images.length);
    let lines = "";
    for (const [index, image] of images.entries()) {
      const { fileName, mark } = nameFile(image);
      marks[index] = mark;
      const sizes = { nameSize: Buffer.byteLength(fileName), size: image.size };
      entriesSize += zipEntrySize(sizes, start);
      start += zipHeaderSize(sizes) + image.size;
      lines += lineOf(image, fileName);
    }
    const digest = sha256(lines);
    hasher.update(digest);
    pages.push({ ...page, sha256: digest, marks: marks.some((mark) => mark > 0) ? marks : undefined });
    files += images.length;
    after = images.at(-1)?.name ?? after;
    await setImmediate();
  }
  const directory = { start, size: entriesSize, files };
  return {
    albumId,
    createdUntil,
    pages: pages.map((page) => ({ ...page, entriesStart: start + page.entriesStart })),
    directory,
    size: start + entriesSize + zipEndSize(directory),
    sha256: hasher.digest("hex"),
  };
}

/**
 * The files of a page.
 * @throws StoreError `unavailable` if they are no longer what was planned
 */
export async function readZipPage(catalog: PlanCatalog, plan: ZipPlan, page: ZipPage): Promise<readonly PlannedFile[]> {
  const { albumId, createdUntil } = plan;
  const images = await catalog.imageFiles({ albumId, createdUntil, after: page.after, limit: PAGE_FILES });
  let { start, entriesStart: entryStart } = page;
  let lines = "";
  const files = images.map((image, index) => {
    const fileName = nameWith(fileNameOf(image), image.name, page.marks?.[index] ?? 0);
    lines += lineOf(image, fileName);
    const { size, createdAt: modifiedAt } = image;
    const name = Buffer.from(fileName);
    const sizes = { nameSize: name.length, size };
    const file = { image, name, size, modifiedAt, start, dataStart: start + zipHeaderSize(sizes), entryStart };
    entryStart += zipEntrySize(sizes, start);
    start = file.dataStart + size;
    return file;
  });
  if (sha256(lines) !== page.sha256)
    throw new StoreError("unavailable", "The album was changed while it was downloaded. Try again.");
  return files;
}

const lineOf = ({ size, sha256: digest, createdAt }: ImageFile, fileName: string): string =>
  `${digest} ${size} ${createdAt} ${fileName}\n`;

const sha256 = (text: string): string => new Bun.CryptoHasher("sha256").update(text).digest("hex");

/** Gives each image a name that a file system tells from those of the images before it. */
function createNames() {
  const taken = new Set<number>();
  return (image: ImageFile): { readonly fileName: string; readonly mark: number } => {
    const safe = fileNameOf(image);
    for (let mark = 0; mark <= MAX_MARK; mark++) {
      const fileName = nameWith(safe, image.name, mark);
      const folded = hashOf(foldFileName(fileName));
      if (taken.has(folded)) continue;
      taken.add(folded);
      return { fileName, mark };
    }
    throw new Error(`The image ${JSON.stringify(image.name)} has no name of its own for an archive.`);
  };
}

const nameWith = (safe: string, name: string, mark: number): string =>
  mark === 0 ? safe : markedFileName(safe, sha256(`${mark} ${name}`).slice(0, 8));

/** Of 53 bits, which take less memory than names. Where two names have the same, one gets a mark that it does not need. */
const hashOf = (name: string): number => Bun.hash.xxHash32(name, 1) * 2 ** 21 + (Bun.hash.xxHash32(name, 2) >>> 11);
