import { readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join } from "node:path";

/** The page as it was built: a document, and the files that it loads. */
export interface PageFiles {
  /** The document for a path so many folders below the store's. */
  document(depth: number): PageFile;
  /** A file by its name; undefined where the page has none of that name. */
  asset(name: string): PageAsset | undefined;
}

export interface PageFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

export interface PageAsset extends PageFile {
  readonly type: string;
  /** The same in fewer bytes, by the name of the coding. The smallest is the first. */
  readonly packed: readonly (PageFile & { readonly coding: "br" | "gzip" })[];
}

/** By the ending of a name. A file of any other is not served. */
export const PAGE_TYPES: Readonly<Record<string, string>> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
  ".webmanifest": "application/manifest+json",
};
const CODINGS = { br: ".br", gzip: ".gz" } as const;

/** The deepest path of the page. */
const MAX_DEPTH = 2;

/** Undefined where the page was not built. It is read when it is asked for, and again when it was built anew. */
export function openPage(folder: string): PageFiles | undefined {
  const version = () => statSync(join(folder, "index.html"), { throwIfNoEntry: false })?.mtimeMs;
  if (version() === undefined) return undefined;
  let read: { readonly version: number; readonly files: ReturnType<typeof readPage> } | undefined;
  const current = () => {
    const now = version();
    // In the moment in which one build replaces another there is none.
    if (now !== undefined && now !== read?.version) read = { version: now, files: readPage(folder) };
    return read?.files;
  };
  return {
    document: (depth) => (current() ?? readPage(folder)).documents[Math.min(depth, MAX_DEPTH)] as PageFile,
    asset: (name) => (read?.files ?? current())?.assets.get(name),
  };
}

function readPage(folder: string) {
  const html = readFileSync(join(folder, "index.html"), "utf8");
  const names = readdirSync(join(folder, "assets"));
  const fileAt = (name: string) => fileOf(new Uint8Array(readFileSync(join(folder, "assets", name))));
  const assets = new Map<string, PageAsset>();
  for (const name of names) {
    const type = PAGE_TYPES[extname(name)];
    if (type === undefined) continue;
    const packed = Object.entries(CODINGS)
      .filter(([, ending]) => names.includes(name + ending))
      .map(([coding, ending]) => ({ coding: coding as keyof typeof CODINGS, ...fileAt(name + ending) }));
    const file = fileAt(name);
    assets.set(name, { ...file, type, packed: packed.filter(({ bytes }) => bytes.length < file.bytes.length) });
  }
  // Relative, so that they hold behind a proxy that serves the store under a path of its own.
  const documents = Array.from({ length: MAX_DEPTH + 1 }, (_, depth) =>
    fileOf(new TextEncoder().encode(html.replaceAll('"./', `"${"../".repeat(depth) || "./"}`))),
  );
  return { documents, assets };
}

const fileOf = (bytes: Uint8Array<ArrayBuffer>): PageFile => ({
  bytes,
  etag: `"${Bun.hash(bytes).toString(36)}"`,
});
