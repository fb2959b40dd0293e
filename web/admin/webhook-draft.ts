import type { components, EventType } from "../../client/src/index.ts";

export type Webhook = components["schemas"]["Webhook"];
type Selection = components["schemas"]["WebhookPatch"];

/** The fields of the form as texts. Lists have a line for each member. */
export interface WebhookDraft {
  readonly url: string;
  readonly description: string;
  /** `ALL_TYPES`, or a list. */
  readonly types: string;
  readonly names: string;
  readonly ids: string;
}
export type WebhookField = keyof WebhookDraft;

/** All of albums and images, without those of the audit trail. */
export const ALL_TYPES = "*";
export const EMPTY_DRAFT: WebhookDraft = { url: "", description: "", types: ALL_TYPES, names: "", ids: "" };

export function draftOf({ url, description, types, albums }: Webhook): WebhookDraft {
  const { names = [], ids = [] } = albums === "*" ? {} : albums;
  return {
    url,
    description: description ?? "",
    types: types === null ? ALL_TYPES : types.join("\n"),
    names: names.join("\n"),
    ids: ids.join("\n"),
  };
}

export const linesOf = (text: string): string[] => [
  ...new Set(
    text
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean),
  ),
];

/** What the person has not touched is as the other one has saved it. */
export const mergeUntouched = (mine: WebhookDraft, was: WebhookDraft, theirs: WebhookDraft): WebhookDraft =>
  mapFields((field) => (mine[field] === was[field] ? theirs[field] : mine[field]));

const mapFields = (value: (field: WebhookField) => string): WebhookDraft => ({
  url: value("url"),
  description: value("description"),
  types: value("types"),
  names: value("names"),
  ids: value("ids"),
});

export function valuesOf({ url, description, types, names, ids }: WebhookDraft) {
  const [named, identified] = [linesOf(names), linesOf(ids)];
  const some = {
    ...(named.length === 0 ? {} : { names: named }),
    ...(identified.length === 0 ? {} : { ids: identified }),
  };
  return {
    url: url.trim(),
    description: description.trim() || null,
    types: types === ALL_TYPES ? null : (linesOf(types) as EventType[]),
    albums: Object.keys(some).length === 0 ? ("*" as const) : some,
  };
}

/** Only what differs: a caller without the right to read events may still change the description. */
export function patchOf(draft: WebhookDraft, was: WebhookDraft): Selection {
  const { url, description, types, albums } = valuesOf(draft);
  return {
    ...(draft.url === was.url ? {} : { url }),
    ...(draft.description === was.description ? {} : { description }),
    ...(draft.types === was.types ? {} : { types }),
    ...(draft.names === was.names && draft.ids === was.ids ? {} : { albums }),
  };
}
