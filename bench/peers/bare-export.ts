/**
 * The least that an export by HTTP can cost: the records page by page, and for each image a GET, its digest and a file
 * that is renamed, so many at once. No checks of what is there, nothing kept for a later run.
 */
import { mkdir, open, rename } from "node:fs/promises";
import { join } from "node:path";

interface Page {
  readonly items: readonly { readonly name: string; readonly links: { readonly content: string } }[];
  readonly nextPageToken?: string | null;
}

const [url = "", album = "", folder = "", inFlight = ""] = process.argv.slice(2);
await mkdir(folder, { recursive: true });
const images = list();
let stored = 0;
await Promise.all(Array.from({ length: Number(inFlight) }, storeUntilEnd));
if (stored === 0) throw new Error("The album has no images.");

async function* list() {
  let query = "pageSize=1000";
  for (;;) {
    const response = await fetch(`${url}/v1/albums/${album}/images?${query}`);
    const { items, nextPageToken } = (await response.json()) as Page;
    yield* items;
    if (nextPageToken == null) return;
    query = `pageSize=1000&pageToken=${encodeURIComponent(nextPageToken)}`;
  }
}

async function storeUntilEnd(): Promise<void> {
  for await (const { name, links } of { [Symbol.asyncIterator]: () => ({ next: () => images.next() }) }) {
    const bytes = await (await fetch(url + links.content)).bytes();
    new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    stored += 1;
    const temporary = join(folder, `.${stored}.part`);
    {
      await using file = await open(temporary, "wx");
      await file.writeFile(bytes);
    }
    await rename(temporary, join(folder, name));
  }
}
