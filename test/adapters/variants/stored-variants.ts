import { stat, writeFile } from "node:fs/promises";
import type { Rendered, Variant, VariantCache, VariantOwner } from "../../../src/ports.ts";
import { contentBytes, sha256 } from "../../blobs.ts";

export const owner = (imageId: string, digest = "digest"): VariantOwner => ({ imageId, sha256: digest });

export const renderedOf = (bytes: Uint8Array): Rendered => ({
  contentType: "image/png",
  size: bytes.length,
  sha256: sha256(bytes),
});

/** A renderer for {@link storeVariant}. */
export const making =
  (bytes: Uint8Array) =>
  async (path: string): Promise<Rendered> => {
    await writeFile(path, bytes, { flag: "wx" });
    return renderedOf(bytes);
  };

/** Renders a variant into the cache. */
export async function storeVariant(
  cache: Pick<VariantCache, "begin">,
  key: string,
  of: VariantOwner,
  render: (path: string) => Promise<Rendered>,
): Promise<Variant> {
  await using draft = await cache.begin(key, of);
  return await draft.keep(await render(draft.path));
}

export async function bytesAt(cache: VariantCache, key: string): Promise<Uint8Array | undefined> {
  const found = cache.find(key);
  return found !== undefined && "read" in found ? contentBytes(await found.read()) : undefined;
}

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
