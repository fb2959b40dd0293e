import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS } from "../waiting.ts";
import { listAll } from "./read-store.ts";
import { readSegments } from "./segment-reader.ts";

/** Files of blobs, temporary ones too, and records of segments, found without asking the store. */
export function countBlobs(blobsFolder: string): number {
  const names = ["files", "tmp"].flatMap((name) =>
    readdirSync(`${blobsFolder}/${name}`, { recursive: true, withFileTypes: true }),
  );
  return names.filter((entry) => entry.isFile()).length + readSegments(blobsFolder).length;
}

/**
 * Waits until there is one blob for each image and no other. Call it with a short grace and nothing else writing.
 * @throws when the sweeper leaves something, or takes what it should not
 */
export async function awaitSweep(url: string, blobsFolder: string): Promise<void> {
  const images = (await listAll(`${url}/v1/images`)).length;
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const blobs = countBlobs(blobsFolder);
    if (blobs === images) return;
    if (Date.now() > deadline) throw new Error(`${blobs} blobs for ${images} images`);
    await sleep(50);
  }
}
