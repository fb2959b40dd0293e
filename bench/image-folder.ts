import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { jpegOf } from "./images.ts";
import { STAMP_BYTES, STAMP_FROM_END } from "./stamp.ts";

/** Files written at once. */
const AT_ONCE = 64;

/** So many distinct images of one size under the names `0.jpg`, `1.jpg`, … */
export async function writeImages(folder: string, count: number, bytes: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const image = await jpegOf(bytes);
  for (let first = 0; first < count; first += AT_ONCE) {
    const names = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, index) => `${first + index}.jpg`);
    await Promise.all(
      names.map((name) => {
        const copy = image.slice();
        crypto.getRandomValues(copy.subarray(-STAMP_FROM_END).subarray(0, STAMP_BYTES));
        return Bun.write(join(folder, name), copy);
      }),
    );
  }
}
