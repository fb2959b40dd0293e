import type { Sharp, WebpOptions } from "sharp";
import type { ResizedPicture } from "../../domain/variant.ts";

/** The efforts are where more of it costs more time than it saves bytes: docs/images.md has the figures. */
export function encode(
  image: Sharp,
  { format, quality }: ResizedPicture,
  animation: Pick<WebpOptions, "delay" | "loop"> = {},
): Sharp {
  if (format === "jpeg") return image.jpeg({ quality });
  if (format === "webp") return image.webp({ quality, ...animation });
  if (format === "avif") return image.avif({ quality, effort: 2, chromaSubsampling: "4:2:0" });
  return image.png();
}
