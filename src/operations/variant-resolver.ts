import { createMemo } from "../concurrency/memo.ts";
import type { VariantFormat } from "../domain/formats.ts";
import { contentPath, type StoredContent } from "../domain/image.ts";
import { planKey, planRender } from "../domain/render-plan.ts";
import type { RenderPlan, VariantSpec } from "../domain/variant.ts";
import { isOnLadder, type Presets } from "../domain/variant-presets.ts";
import {
  explicitSpec,
  formatSpec,
  parseVariantQuery,
  type VariantParameters,
  type VariantQuery,
} from "../domain/variant-query.ts";

export interface PlannedVariant {
  readonly plan: RenderPlan;
  readonly key: string;
  /** A target that has this plan for ever: what the spec left to the record or the request is written out in it. */
  readonly location: string;
  /** Whether every client that may read may get it. */
  readonly isLocationFree: boolean;
}

/** Parses queries and plans renders. It remembers both, since they take longer than finding the variant. */
export interface VariantResolver {
  /** `parseVariantQuery` of the parameters that this query says. */
  parse(query: string, parameters: VariantParameters): VariantQuery;
  /** @throws StoreError `invalid_variant`, as `planRender` does */
  resolve(
    query: { readonly spec: VariantSpec; readonly text: string },
    image: StoredContent["image"],
    accepted: readonly VariantFormat[],
  ): PlannedVariant;
}

const MOST_RECENT = 4096;

export function createVariantResolver(presets: Presets, rendererVersion: string): VariantResolver {
  const requests = createMemo<VariantQuery>(MOST_RECENT);
  const plans = createMemo<PlannedVariant>(MOST_RECENT);
  return {
    parse: (query, parameters) => requests.get(query, () => parseVariantQuery(parameters, presets)),

    resolve({ spec, text }, image, accepted) {
      const { id, sha256, focalPoint } = image;
      const focus = focalPoint === null ? "" : `${focalPoint.x},${focalPoint.y}`;
      return plans.get(`${id} ${sha256} ${focus} ${accepted.join()} ${text}`, () => {
        const plan = planRender(spec, image, accepted);
        const explicit = explicitSpec(spec, plan, focalPoint);
        return {
          plan,
          key: planKey(sha256, plan, rendererVersion),
          location: `${contentPath(image)}?${formatSpec(explicit)}&v=${encodeURIComponent(rendererVersion)}`,
          isLocationFree: explicit.kind === "without-location" || isOnLadder(explicit),
        };
      });
    },
  };
}
