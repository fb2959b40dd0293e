/** Stores variants of image after image, all of one at once, purges those of the fifth before, and tells the position after it. */
import { openVariantCache } from "../../../src/adapters/variants/variant-cache.ts";
import { patterned } from "../../blobs.ts";
import { making, owner, storeVariant } from "./stored-variants.ts";

const [folder = "", variants] = process.argv.slice(2);
const count = Number(variants);
const cache = await openVariantCache({ folder, maxBytes: 2_000_000, minFree: 0 });
const first = (cache.position()?.seq ?? 0) + 1;
for (let image = first; ; image++) {
  await Promise.all(
    Array.from({ length: count }, (_, variant) =>
      storeVariant(cache, `${image}/${variant}`, owner(`${image}`), making(patterned(image * count + variant))),
    ),
  );
  if (image - 5 < first) continue;
  await cache.purge(`${image - 5}`);
  cache.setPosition({ epoch: 1, seq: image - 5 });
  process.stdout.write(`${image - 5}\n`);
}
