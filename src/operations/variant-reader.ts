import { contentPath, type StoredContent } from "../domain/image.ts";
import { createMemo } from "../domain/memo.ts";
import type { Picture, VariantFormat, VariantSpec } from "../domain/variant.ts";
import { pictureKey, resolvePicture } from "../domain/variant-picture.ts";
import { isOnLadder, type Presets } from "../domain/variant-presets.ts";
import {
  explicitSpec,
  formatSpec,
  parseVariant,
  type VariantParameters,
  type VariantRequest,
} from "../domain/variant-query.ts";

export interface WantedPicture {
  readonly picture: Picture;
  readonly key: string;
  /** A target that gives this picture and no other for ever, in words of its own where the wish left some to others. */
  readonly location: string;
  /** Whether anyone who may read may ask for that. */
  readonly isLocationFree: boolean;
}

/** What a request for a variant means: found out once, since it takes longer than to find the variant. */
export interface VariantReader {
  /** `parseVariant` of the parameters that this query says. */
  parse(query: string, parameters: VariantParameters): VariantRequest;
  /** @throws StoreError `invalid_variant`, as `resolvePicture` does */
  resolve(
    wish: { readonly spec: VariantSpec; readonly text: string },
    image: StoredContent["image"],
    accepted: readonly VariantFormat[],
  ): WantedPicture;
}

const MOST_RECENT = 4096;

export function createVariantReader(presets: Presets, rendererVersion: string): VariantReader {
  const requests = createMemo<VariantRequest>(MOST_RECENT);
  const pictures = createMemo<WantedPicture>(MOST_RECENT);
  return {
    parse: (query, parameters) => requests.get(query, () => parseVariant(parameters, presets)),

    resolve({ spec, text }, image, accepted) {
      const { id, sha256, focalPoint } = image;
      const focus = focalPoint === null ? "" : `${focalPoint.x},${focalPoint.y}`;
      return pictures.get(`${id} ${sha256} ${focus} ${accepted.join()} ${text}`, () => {
        const picture = resolvePicture(spec, image, accepted);
        const explicit = explicitSpec(spec, picture, focalPoint);
        return {
          picture,
          key: pictureKey(sha256, picture, rendererVersion),
          location: `${contentPath(image)}?${formatSpec(explicit)}&v=${encodeURIComponent(rendererVersion)}`,
          isLocationFree: explicit.kind === "without-location" || isOnLadder(explicit),
        };
      });
    },
  };
}
