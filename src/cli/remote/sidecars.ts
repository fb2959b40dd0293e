import { chmod, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Album, Image, ImagePatch } from "../../../client/src/index.ts";
import { nextTemporaryName } from "./folder-entries.ts";
import { DEFAULT_UMASK } from "./receive-file.ts";

/** Fields of an image as a file has them. */
export interface Sidecar {
  /** Always the same text for the same fields. */
  readonly text: string;
  /** Every field: those that the file lacks are empty. */
  readonly fields: Required<Fields>;
}

type Fields = Partial<Pick<Image, "title" | "description" | "metadata" | "tags" | "focalPoint">>;

export const EXTENSION = ".json";
const MEMBERS = new Set(["name", "title", "description", "tags", "metadata", "focalPoint", "visibility"]);
const MAX_BYTES = 1024 * 1024;
export const ALBUM_FILE = ".album.json";
/** Images with such names cannot be exported: they would be taken for fields. */
export const isSidecarName = (name: string): boolean => name.endsWith(EXTENSION);
export const sidecarPath = (path: string): string => path + EXTENSION;

/** Whether the name is of a file that describes others: an image with such a name has no image beside it. */
export async function isPartOfSidecars(folder: string, name: string): Promise<boolean> {
  if (name === ALBUM_FILE) return true;
  if (!name.endsWith(EXTENSION)) return false;
  return stat(join(folder, name.slice(0, -EXTENSION.length))).then(
    (stats) => stats.isFile(),
    () => false,
  );
}

/** Members in a fixed order, and none that is empty; the empty text if all are. */
export function sidecarOf({ title, description, tags = [], metadata = {}, focalPoint }: Fields): string {
  const members = {
    ...(title == null ? {} : { title }),
    ...(description == null ? {} : { description }),
    ...(tags.length === 0 ? {} : { tags }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata: sorted(metadata) }),
    ...(focalPoint == null ? {} : { focalPoint: { x: focalPoint.x, y: focalPoint.y } }),
  };
  return Object.keys(members).length === 0 ? "" : `${JSON.stringify(members, null, 2)}\n`;
}

const sorted = (metadata: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(metadata).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** @param before the text of the fields that the image has: a merge patch removes members of metadata only by name */
export function patchOf({ fields }: Sidecar, before: string): ImagePatch {
  const { metadata = {} } = (before === "" ? {} : JSON.parse(before)) as Fields;
  const gone = Object.fromEntries(Object.keys(metadata).map((member) => [member, null]));
  return { ...fields, metadata: { ...gone, ...fields.metadata } };
}

/**
 * The fields in the file beside the image; undefined if there is none.
 * @throws Error if it is no JSON object
 */
export async function readSidecar(path: string): Promise<Sidecar | undefined> {
  const fields = await readObject(sidecarPath(path));
  return fields === undefined ? undefined : sidecarFrom(fields, sidecarPath(path));
}

/** @throws Error if its members are not those of an image; it names the path */
export function sidecarFrom(object: Readonly<Record<string, unknown>>, path: string): Sidecar {
  const fields = object as Fields;
  const { title = null, description = null, tags = [], metadata = {}, focalPoint = null } = fields;
  try {
    return { text: sidecarOf(fields), fields: { title, description, tags, metadata, focalPoint } };
  } catch (cause) {
    throw new Error(`${path} does not have the fields of an image`, { cause });
  }
}

/** @throws Error if the file is there and is no JSON object */
export async function readObject(path: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  let text: string;
  try {
    requireSidecarSize((await stat(path)).size, path);
    text = await readFile(path, "utf8");
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  return parseObject(text, path);
}

/** A file system that cannot hold so long a name has no file of it. */
const isAbsent = (error: unknown): boolean =>
  ["ENOENT", "ENAMETOOLONG"].includes((error as NodeJS.ErrnoException).code ?? "");

/** @throws Error which names the path */
export function requireSidecarSize(size: number, path: string): void {
  if (size > MAX_BYTES) throw new Error(`${path} is too large for a file of fields`);
}

/** @throws Error if the text is no JSON object; it names the path */
export function parseObject(text: string, path: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new Error(`${path} is not a JSON object`);
}

export function albumFileOf(album: Album, defaultName: string, metadata: Album["metadata"]): string {
  const { name, title, description, visibility } = album;
  const members = {
    ...(name === defaultName ? {} : { name }),
    ...(title === null ? {} : { title }),
    ...(description === null ? {} : { description }),
    ...(Object.keys(metadata).length === 0 ? {} : { metadata: sorted(metadata) }),
    ...(visibility === "private" ? {} : { visibility }),
  };
  return Object.keys(members).length === 0 ? "" : `${JSON.stringify(members, null, 2)}\n`;
}

/** Makes the file have the text; without text there is no file. Returns whether it changed. */
export async function writeFields(path: string, text: string, umask: number = DEFAULT_UMASK): Promise<boolean> {
  const before = await readFile(path, "utf8").catch((error: unknown) => {
    if (isAbsent(error)) return "";
    throw error;
  });
  if (before === text) return false;
  if (text === "") {
    // Another file of that name is the user's.
    const members = await readObject(path).catch(() => undefined);
    const isOurs = members !== undefined && Object.keys(members).every((member) => MEMBERS.has(member));
    if (isOurs) await rm(path);
    return isOurs;
  }
  const temporary = join(dirname(path), nextTemporaryName());
  try {
    await writeFile(temporary, text, { flag: "wx" });
    await chmod(temporary, 0o666 & ~umask);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
  return true;
}
