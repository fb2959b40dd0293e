import type { z } from "@hono/zod-openapi";
import { listChoices, quote } from "../domain/wording.ts";

type Issue = z.core.$ZodRawIssue;

const ARTICLES: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  record: "an object",
  null: "null",
};
const UNITS: Readonly<Record<string, string>> = { array: " items", set: " items", string: " characters" };

/**
 * What a schema refused, for people: it completes "orderBy …". A message of the schema's own goes before it.
 * `undefined` leaves the validator's words, which is for issues that no schema here has.
 */
export function textOfIssue(issue: Issue): string | undefined {
  if (issue.code === "invalid_type" && issue.input === undefined) return "is required";
  if (issue.code === "invalid_type")
    return `must be ${ARTICLES[issue.expected] ?? issue.expected}, not ${kindOf(issue.input)}`;
  if (issue.code === "invalid_value") return `must be ${listChoices(issue.values)}${butGot(issue.input)}`;
  if (issue.code === "too_big") return `must ${boundOf(issue.origin, "at most", issue.maximum)}${butGot(issue.input)}`;
  if (issue.code === "too_small")
    return `must ${boundOf(issue.origin, "at least", issue.minimum)}${butGot(issue.input)}`;
  if (issue.code === "invalid_format") return `must be ${formatOf(issue)}${butGot(issue.input)}`;
  if (issue.code === "unrecognized_keys") return "is not known";
  if (issue.code === "invalid_key") return `has a key that ${issue.issues[0]?.message}`;
  if (issue.code === "invalid_union") return alternatives(issue.errors.flat(), issue.input);
  return undefined;
}

/** Of branches that differ in kind: what is wrong within one of them would only confuse who meant another. */
function alternatives(issues: readonly z.core.$ZodIssue[], input: unknown): string {
  const kinds = issues.flatMap((issue) => (issue.code === "invalid_type" ? [ARTICLES[issue.expected]] : []));
  return kinds.length === 0 ? "is none of what may be here" : `must be ${listChoices(kinds)}, not ${kindOf(input)}`;
}

function boundOf(origin: string, comparison: string, bound: number | bigint): string {
  const unit = UNITS[origin];
  return unit === undefined ? `be ${comparison} ${bound}` : `have ${comparison} ${bound}${unit}`;
}

function formatOf({ format, pattern }: { readonly format: string; readonly pattern?: string | undefined }): string {
  if (format === "uuid") return "a UUID";
  if (format === "datetime") return "a time such as 2026-07-14T09:30:00Z";
  return format === "regex" ? `text that matches ${pattern}` : `a valid ${format}`;
}

function butGot(input: unknown): string {
  if (typeof input === "number") return `, not ${input}`;
  return typeof input === "string" ? `, not ${quote(input)}` : "";
}

function kindOf(input: unknown): string {
  if (input === null) return "null";
  if (Number.isNaN(input)) return "what is no number";
  if (typeof input === "boolean") return String(input);
  const kind = Array.isArray(input) ? "array" : typeof input;
  return ARTICLES[kind] ?? kind;
}
