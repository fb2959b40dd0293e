import { z } from "@hono/zod-openapi";
import { type FieldError, StoreError } from "../domain/errors.ts";
import { textOfIssue } from "./issue-text.ts";

/** A body of 256 KiB can have 40,000 things wrong; the first of them are enough to see what. */
const MAX_ERRORS = 100;

/**
 * What the schema makes of the value.
 * @throws StoreError `invalid_name` when nothing but names is wrong, else `invalid_request` with what is, where
 */
export function validate(schema: z.ZodType, value: unknown, kind: "pointer" | "parameter"): unknown {
  const result = schema.safeParse(value, { error: textOfIssue });
  if (result.success) return result.data;
  const { issues } = result.error;
  const errors = issues.flatMap((issue) => fieldErrors(issue, kind)).slice(0, MAX_ERRORS);
  const onlyNames = issues.every((issue) => issue.code === "custom" && issue.params?.code === "invalid_name");
  if (onlyNames) throw new StoreError("invalid_name", errors[0]?.detail ?? "", { errors });
  throw new StoreError("invalid_request", summarise(errors), { errors });
}

/** `detail` is what most clients show, and all that some do. */
function summarise([first, ...others]: readonly FieldError[]): string {
  const where = first?.parameter ?? first?.pointer;
  const more = others.length === 0 ? "" : ` \`errors\` lists ${others.length} more.`;
  return `The request is not valid: ${where || "the body"} ${first?.detail}.${more}`;
}

function fieldErrors(issue: z.core.$ZodIssue, kind: "pointer" | "parameter"): FieldError[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ [kind]: locate([...issue.path, key], kind), detail: issue.message }));
  }
  return [{ [kind]: locate(issue.path, kind), detail: issue.message }];
}

function locate(path: readonly PropertyKey[], kind: "pointer" | "parameter"): string {
  return kind === "pointer" ? pointer(path) : String(path[0] ?? "");
}

/** RFC 6901. */
export const pointer = (path: readonly PropertyKey[]): string =>
  path.map((key) => `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
