import { deepStrictEqual } from "node:assert";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export const equal = (found: unknown, expected: unknown): void => deepStrictEqual(found, expected);

/** Says that a step held. */
export const check = (step: string): void => console.log(step);

export async function filesOf(folder: string): Promise<[File, ...File[]]> {
  const names = (await readdir(folder)).sort();
  const files = await Promise.all(
    names.map(async (name) => new File([new Uint8Array(await readFile(join(folder, name)))], name)),
  );
  const [first, ...others] = files;
  if (first === undefined) throw new Error(`There is no file in ${folder}.`);
  return [first, ...others];
}

export async function sha256(bytes: Blob): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await bytes.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
