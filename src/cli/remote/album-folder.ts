import { basename, resolve } from "node:path";
import type { Album } from "../../../client/src/index.ts";
import { parseName } from "../../domain/names.ts";

/** In an album's metadata: the folder that it was imported from, relative to the imported one. */
const FOLDER = "image-store:folder";
const SEPARATOR = " - ";

/** `a/b` as `a - b`; the imported folder itself has its own name. */
export const nameOfFolder = (root: string, folder: string): string =>
  folder === "." ? basename(resolve(root)) : folder.split("/").join(SEPARATOR);

/** Whether export would choose another folder without being told. */
export const folderMetadata = (folder: string, name: string): Readonly<Record<string, string>> =>
  folder === name ? {} : { [FOLDER]: folder };

/** Metadata without the folder, if the place of an export says it. */
export function withoutFolder(album: Pick<Album, "name" | "metadata">): Album["metadata"] {
  const { [FOLDER]: folder, ...metadata } = album.metadata;
  return folder === folderOf(album) ? metadata : album.metadata;
}

/** Where an export puts the album: it never leaves the exported folder. */
export function folderOf({ name, metadata }: Pick<Album, "name" | "metadata">): string {
  const folder = metadata[FOLDER];
  if (folder === ".") return ".";
  return folder !== undefined && folder.split("/").every(isName) ? folder : name;
}

function isName(part: string): boolean {
  try {
    return parseName(part) === part;
  } catch {
    return false;
  }
}
