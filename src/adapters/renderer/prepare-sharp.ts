import sharp, { type SharpOptions } from "sharp";

/** Everything that is not listed stays shut, whatever the library was built with. */
const LOADERS = ["Jpeg", "Png", "Webp", "Nsgif", "Heif", "Tiff"].flatMap((name) => [
  `VipsForeignLoad${name}File`,
  `VipsForeignLoad${name}Buffer`,
]);

/** For a process that does nothing else: these settings are global. */
export function prepareSharp(): void {
  sharp.block({ operation: ["VipsForeignLoad"] });
  sharp.unblock({ operation: LOADERS });
  sharp.cache(false);
  sharp.concurrency(1);
}

/** How an original is opened. What is cut off or damaged is refused, but for what decoders merely warn of. */
export const openingOptions = (maxPixels: number): SharpOptions => ({
  limitInputPixels: maxPixels,
  sequentialRead: true,
  failOn: "error",
});
