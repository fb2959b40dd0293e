import { makeZip } from "client-zip";
import { type Image, StoreError } from "../../client/src/index.ts";
import { store } from "../shared/store.ts";
import { type Ids, type OnProgress, type Outcome, save } from "./actions.ts";

/** So many are asked for before their turn, since each takes two requests. */
const AHEAD = 4;
/** A browser that saves a file reads its bytes a little later. */
const KEPT_MS = 60_000;

/**
 * Saves pictures as one ZIP archive, which the browser makes. One that is gone meanwhile is left out. If another fails, nothing is
 * saved.
 */
export async function zipImages(ids: Ids, onProgress: OnProgress, name: string): Promise<Outcome> {
  const over = new AbortController();
  const counts = { finished: 0, done: 0 };
  async function* files() {
    const nameOf = createFileNames();
    for await (const { image, response } of inTurn(ids, over.signal)) {
      if (image !== undefined && response !== undefined) {
        yield { name: nameOf(image), lastModified: new Date(image.createdAt), input: response };
        counts.finished += 1;
      }
      counts.done += 1;
      onProgress({ done: counts.done, total: ids.size });
    }
  }
  try {
    const archive = await new Response(makeZip(files())).blob();
    const url = URL.createObjectURL(archive);
    save(url, `${name}.zip`);
    setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
    return { finished: counts.finished, failures: [] };
  } catch (error) {
    return { finished: 0, failures: [error] };
  } finally {
    over.abort();
  }
}

interface Opened {
  /** Undefined where the picture is gone. */
  readonly image?: Image;
  readonly response?: Response;
  readonly error?: unknown;
}

async function* inTurn(ids: Ids, signal: AbortSignal): AsyncGenerator<Opened, void> {
  const opened: Promise<Opened>[] = [];
  const waiting = ids[Symbol.iterator]();
  const openNext = () => {
    const next = waiting.next();
    if (next.done !== true) opened.push(open(next.value, signal));
  };
  for (let count = 0; count < AHEAD; count += 1) openNext();
  for (let first = opened.shift(); first !== undefined; first = opened.shift()) {
    const one = await first;
    if (one.error !== undefined) throw one.error;
    yield one;
    openNext();
  }
}

/** It never rejects, since its turn may never come. */
async function open(id: string, signal: AbortSignal): Promise<Opened> {
  try {
    const image = await store.imageById(id, { signal });
    return { image, response: await store.download(image, { signal }) };
  } catch (error) {
    return error instanceof StoreError && error.code === "image_not_found" ? {} : { error };
  }
}

/** Names that Windows takes too, with the ending of their type, each once. */
function createFileNames(): (image: Pick<Image, "name" | "contentType">) => string {
  const used = new Set<string>();
  return ({ name, contentType }) => {
    const ending = contentType === "image/jpeg" ? ".jpg" : `.${contentType.slice("image/".length)}`;
    const plain = name.replaceAll(/["*:<>?\\|]/g, "_");
    const whole = /\.(?:jpe?g|png|webp|gif|avif|tiff?)$/i.test(plain) ? plain : plain + ending;
    const dot = whole.lastIndexOf(".");
    let found = whole;
    for (let count = 2; used.has(found.toLowerCase()); count += 1)
      found = `${whole.slice(0, dot)} (${count})${whole.slice(dot)}`;
    used.add(found.toLowerCase());
    return found;
  };
}
