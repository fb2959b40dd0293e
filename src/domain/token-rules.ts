import type { Right } from "./access.ts";
import type { Grant } from "./caller.ts";
import { StoreError } from "./errors.ts";
import { parseName } from "./names.ts";
import type { AlbumTemplate, Claims, TemplatePart } from "./token.ts";

/** The grant of every token that meets the condition. */
export interface TokenRule {
  /** Absent: every valid token meets it. */
  readonly condition?: ClaimCondition;
  readonly rights: ReadonlySet<Right>;
  readonly albums: "*" | readonly AlbumTemplate[];
}

export interface ClaimCondition {
  /** The name of a claim, then of a member of its value, and so on. */
  readonly path: readonly string[];
  /** A member of the claim's array, or a word of its text; or the whole value. */
  readonly test: { readonly has: string } | { readonly equals: string | number | boolean };
}

export interface TokenGrants {
  readonly grants: readonly Grant[];
  /** The claims whose values do not fit into a pattern, so that a rule gave less than it says. */
  readonly unfit: readonly string[];
}

/** Compiles the rules to a function from the claims of a valid token to its grants. */
export function createTokenGrants(rules: readonly TokenRule[]): (claims: Claims) => TokenGrants {
  const separators = separatorsOf(rules);
  return (claims) => {
    const unfit = new Set<string>();
    const valueOf = (claim: string): string | undefined => {
      const value = valueFor(claim, claims, separators.get(claim) ?? "");
      if (value === undefined) unfit.add(claim);
      return value;
    };
    const grants = rules.flatMap(({ condition, rights, albums }): Grant[] => {
      if (condition !== undefined && !isMet(condition, claims)) return [];
      if (albums === "*") return [{ rights, albums }];
      const names = albums.flatMap((template) => fill(template, valueOf) ?? []);
      return names.length === 0 ? [] : [{ rights, albums: { names } }];
    });
    return { grants, unfit: [...unfit] };
  };
}

function isMet({ path, test }: ClaimCondition, claims: Claims): boolean {
  const value = path.reduce<unknown>(ownMember, claims);
  if ("equals" in test) return value === test.equals;
  if (Array.isArray(value)) return value.includes(test.has);
  return typeof value === "string" && value.split(" ").includes(test.has);
}

const ownMember = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;

/**
 * The characters that follow each claim in any pattern. A value must not contain them. Then a name of an album tells where
 * the value in it ends, so that it matches the patterns of one value only: `u-{sub}-*` gives `ann` the albums `u-ann-…`,
 * and a token with the subject `ann-lee`, whose albums would be among them, gets none.
 */
function separatorsOf(rules: readonly TokenRule[]): ReadonlyMap<string, string> {
  const separators = new Map<string, string>();
  for (const { parts } of rules.flatMap(({ albums }) => (albums === "*" ? [] : albums)))
    for (const [index, part] of parts.entries()) {
      const next = parts[index + 1];
      if (typeof part === "string" || typeof next !== "string") continue;
      separators.set(part.claim, (separators.get(part.claim) ?? "") + Array.from(next)[0]);
    }
  return separators;
}

const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;
/** What a UUID has before its first hyphen. */
const UUID_START = /^[\da-f]{8}$/i;

/** The claim's value, if it may stand in an album's name. */
function valueFor(claim: string, claims: Claims, separators: string): string | undefined {
  const value = ownMember(claims, claim);
  if (typeof value !== "string" || value.includes("*") || !isName(value)) return undefined;
  const found = Array.from(separators).filter((separator) => value.includes(separator));
  // Hyphens in UUIDs do no harm, since all UUIDs have the same length; but then nothing else may look like their beginning.
  if (separators.includes("-") && UUID_START.test(value)) return undefined;
  return found.every((separator) => separator === "-" && UUID.test(value)) ? value : undefined;
}

function fill({ parts, isPrefix }: AlbumTemplate, valueOf: (claim: string) => string | undefined): string | undefined {
  const values = parts.map((part) => (typeof part === "string" ? part : valueOf(part.claim)));
  if (values.includes(undefined)) return undefined;
  const name = values.join("");
  // Where a value begins with a combining mark, its name would be another once it is normalised.
  return isName(name) ? name + (isPrefix ? "*" : "") : undefined;
}

/** Whether the text is a name as it stands. */
export function isName(text: string): boolean {
  try {
    return parseName(text) === text;
  } catch (error) {
    if (error instanceof StoreError) return false;
    throw error;
  }
}

/**
 * Whether a value of a claim could make one pattern match what the other is for, as `u-{sub}-*` with the subject `team`
 * would match `u-team-*`. A pattern with `*` that contains the other whole, such as `u-*`, is no clash: it is meant.
 */
export function clash(one: AlbumTemplate, other: AlbumTemplate): boolean {
  const [ones, others] = [elementsOf(one), elementsOf(other)];
  const at = ones.findIndex((element, index) => element !== others[index]);
  if (at === -1) return false;
  const [mine, theirs] = [ones[at], others[at]];
  if (mine === undefined || theirs === undefined) return false;
  return isClaim(mine) || isClaim(theirs);
}

/** The characters, and each claim as one element that no character equals. */
const elementsOf = ({ parts }: AlbumTemplate): readonly string[] =>
  parts.flatMap((part: TemplatePart) => (typeof part === "string" ? Array.from(part) : [`{${part.claim}}`]));

const isClaim = (element: string): boolean => element.length > 2 && element.startsWith("{");
