import type { Preconditions } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";

/**
 * In the order of RFC 9110, 13.2.2. `current` is undefined where nothing exists yet.
 * @throws StoreError `precondition_failed`
 */
export function requirePreconditions<Tag>(preconditions: Preconditions<Tag> | undefined, current: Tag | undefined) {
  if (preconditions === undefined) return;
  const { ifMatch, ifNoneMatch } = preconditions;
  const names = (tags: "*" | readonly Tag[]) =>
    current !== undefined && (tags === "*" || tags.some((tag) => Bun.deepEquals(tag, current)));
  if (ifMatch !== undefined && !names(ifMatch))
    throw new StoreError("precondition_failed", "If-Match names another version than the present one.");
  if (ifNoneMatch !== undefined && names(ifNoneMatch))
    throw new StoreError("precondition_failed", "If-None-Match names the present version.");
}
