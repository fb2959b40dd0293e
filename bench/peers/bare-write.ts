/**
 * The least that a durable file each can cost: write, fdatasync, rename, folder fsync, so many at once, for so long, and
 * nothing else. Prints files a second. Each call has a thread of its own (UV_THREADPOOL_SIZE, set by the
 * parent): with as many threads as cores, syncs that could share a journal commit would wait for each other.
 */
import { open, rename } from "node:fs/promises";
import { join } from "node:path";

const [folder = "", source = "", inFlight = "", seconds = ""] = process.argv.slice(2);
const bytes = await Bun.file(source).bytes();
await using directory = await open(folder, "r");
const start = performance.now();
const end = start + Number(seconds) * 1000;
let stored = 0;

await Promise.all(Array.from({ length: Number(inFlight) }, storeUntilEnd));
console.log((stored * 1000) / (performance.now() - start));

async function storeUntilEnd(): Promise<void> {
  while (performance.now() < end) {
    const path = join(folder, crypto.randomUUID());
    {
      await using file = await open(`${path}.tmp`, "wx");
      await file.writeFile(bytes);
      await file.datasync();
    }
    await rename(`${path}.tmp`, path);
    await directory.sync();
    stored++;
  }
}
