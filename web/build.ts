import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

/** Where the server looks for the page. */
export const PAGE_FOLDER = join(import.meta.dir, "../dist/page");

/**
 * Builds the page: `index.html` and, in `assets`, files that have the digest of their content in their names, each of them also
 * compressed. A folder that was there is replaced as a whole.
 */
export async function buildPage(folder: string): Promise<void> {
  const draft = `${folder}.${process.pid}`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true });
  await Bun.build({
    entrypoints: [join(import.meta.dir, "index.html")],
    outdir: draft,
    target: "browser",
    minify: true,
    splitting: true,
    sourcemap: "none",
    naming: { entry: "[name].[ext]", chunk: "assets/[name]-[hash].[ext]", asset: "assets/[name]-[hash].[ext]" },
    define: { "process.env.NODE_ENV": '"production"' },
    jsx: { runtime: "automatic", importSource: "preact", development: false },
  });
  await askForCallerAtOnce(join(draft, "index.html"));
  const assets = join(draft, "assets");
  await Promise.all((await readdir(assets)).map((name) => compress(join(assets, name))));
  await rm(folder, { recursive: true, force: true });
  await rename(draft, folder);
}

/** The page needs the caller before anything else: the browser need not wait for the scripts to ask. The bundler would look for a file. */
async function askForCallerAtOnce(document: string): Promise<void> {
  const html = await Bun.file(document).text();
  await Bun.write(
    document,
    html.replace("</title>", '</title>\n    <link rel="preload" href="./v1/me" as="fetch" crossorigin />'),
  );
}

/** Once, as small as it gets: a server that compressed each answer would do worse and need time for it. */
async function compress(path: string): Promise<void> {
  const bytes = await Bun.file(path).bytes();
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
  await Promise.all([
    promisify(brotliCompress)(bytes, quality).then((packed) => Bun.write(`${path}.br`, packed)),
    promisify(gzip)(bytes, { level: constants.Z_BEST_COMPRESSION }).then((packed) => Bun.write(`${path}.gz`, packed)),
  ]);
}

if (import.meta.main) await buildPage(PAGE_FOLDER);
