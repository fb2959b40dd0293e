import { type Image, type ImagePatch, StoreError } from "../../client/src/index.ts";
import { ifMatch, store } from "../shared/store.ts";
import { splitTags } from "../shared/tags.ts";

/** What a person edits of a picture, as text. */
export interface Draft {
  readonly title: string;
  readonly description: string;
  /** Separated by commas. */
  readonly tags: string;
  readonly name: string;
  /** `0.5,0.25`; empty for none. */
  readonly focalPoint: string;
}

export type Field = keyof Draft;
export const FIELDS: readonly Field[] = ["title", "description", "tags", "name", "focalPoint"];

export const draftOf = ({ title, description, tags, name, focalPoint }: Image): Draft => ({
  title: title ?? "",
  description: description ?? "",
  tags: tags.join(", "),
  name,
  focalPoint: focalPoint === null ? "" : `${focalPoint.x},${focalPoint.y}`,
});

export const changedFields = (draft: Draft, base: Draft): readonly Field[] =>
  FIELDS.filter((field) => draft[field].trim() !== base[field]);

function patchOf(draft: Draft, fields: readonly Field[]): ImagePatch {
  const values: Required<Pick<ImagePatch, Field>> = {
    title: draft.title.trim() || null,
    description: draft.description.trim() || null,
    tags: splitTags(draft.tags),
    name: draft.name.trim(),
    focalPoint: parsePoint(draft.focalPoint),
  };
  return Object.fromEntries(fields.map((field) => [field, values[field]]));
}

export function parsePoint(text: string): { readonly x: number; readonly y: number } | null {
  const [x, y] = text.split(",").map(Number);
  return text === "" || x === undefined || y === undefined ? null : { x, y };
}

export type Saved =
  | { readonly kind: "saved"; readonly image: Image }
  /** Another client has changed the same fields meanwhile. */
  | { readonly kind: "conflict"; readonly theirs: Image; readonly fields: readonly Field[] };

/** Saves what differs from `base`. What others changed in other fields stays, without a question. */
export async function saveDraft(draft: Draft, base: Image): Promise<Saved> {
  const fields = changedFields(draft, draftOf(base));
  let current = base;
  for (;;) {
    try {
      const image = (await store.send("PATCH", "/v1/albums/{album}/images/{image}", {
        path: { album: current.album, image: current.name },
        body: patchOf(draft, fields),
        headers: ifMatch(current),
      })) as Image;
      return { kind: "saved", image };
    } catch (error) {
      const isStale =
        error instanceof StoreError && (error.code === "precondition_failed" || error.code === "image_not_found");
      if (!isStale) throw error;
      const theirs = await store.imageById(base.id);
      if (theirs.revision === current.revision) throw error;
      const [was, now] = [draftOf(base), draftOf(theirs)];
      const both = fields.filter((field) => now[field] !== was[field] && now[field] !== draft[field].trim());
      if (both.length > 0) return { kind: "conflict", theirs, fields: both };
      current = theirs;
    }
  }
}
