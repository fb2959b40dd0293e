import { RIGHTS, type Right } from "../domain/access.ts";
import { MAX_NAMES } from "../domain/grant.ts";
import { nearest } from "../domain/nearest.ts";
import type { AlbumTemplate, TemplatePart } from "../domain/token.ts";
import { type ClaimCondition, clash, isName, type TokenRule } from "../domain/token-rules.ts";
import { listChoices, quote } from "../domain/wording.ts";

export const EXAMPLE_RULES = '[{"claim":"scope","has":"images","rights":["read","write"],"albums":["u-{sub}.*"]}]';

const MEMBERS = ["claim", "has", "equals", "rights", "albums"] as const;

/**
 * Rules as JSON such as {@link EXAMPLE_RULES}. A problem completes the sentence "IMAGE_STORE_JWT_RULES …"; all of them are
 * returned.
 */
export function parseTokenRules(text: string): { rules: readonly TokenRule[]; problems: readonly string[] } {
  const problems: string[] = [];
  const entries = parseArray(text, problems);
  const rules = entries.flatMap((entry, index) => {
    const own: string[] = [];
    const rule = parseRule(entry, own);
    problems.push(...own.map((problem) => `rule ${index + 1}: ${problem}`));
    return rule === undefined || own.length > 0 ? [] : [rule];
  });
  const written = entries.map((entry) => JSON.stringify(entry));
  for (const [index, entry] of written.entries())
    if (written.indexOf(entry) < index)
      problems.push(`rule ${index + 1}: has no effect, since it repeats rule ${written.indexOf(entry) + 1}`);
  const patterns = rules.reduce((sum, { albums }) => sum + (albums === "*" ? 0 : albums.length), 0);
  if (patterns > MAX_NAMES) problems.push(`must have at most ${MAX_NAMES} patterns in all, not ${patterns}`);
  return { rules, problems: [...problems, ...clashesOf(rules)] };
}

function parseArray(text: string, problems: string[]): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.length > 0) return value;
    problems.push(`must be a JSON array of rules such as ${EXAMPLE_RULES}`);
  } catch (error) {
    problems.push(`must be JSON: ${(error as Error).message}`);
  }
  return [];
}

function parseRule(entry: unknown, problems: string[]): TokenRule | undefined {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) {
    problems.push(`must be an object such as ${EXAMPLE_RULES.slice(1, -1)}`);
    return undefined;
  }
  const members = entry as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(members))
    if (!(MEMBERS as readonly string[]).includes(name)) {
      const meant = nearest(name, MEMBERS);
      problems.push(
        `unknown member ${quote(name)}${meant === undefined ? `; known are ${MEMBERS.join(", ")}` : `. Did you mean "${meant}"?`}`,
      );
    }
  const condition = parseCondition(members, problems);
  const rights = parseRights(members["rights"], problems);
  const albums = parseAlbums(members["albums"], problems);
  if (rights.has("admin") && albums !== "*") problems.push('"admin" has no effect unless "albums" is "*"');
  return { ...(condition === undefined ? {} : { condition }), rights, albums };
}

function parseCondition(members: Readonly<Record<string, unknown>>, problems: string[]): ClaimCondition | undefined {
  const { claim, has, equals } = members;
  const tests = [has, equals].filter((test) => test !== undefined).length;
  if (claim === undefined) {
    if (tests > 0) problems.push('"has" and "equals" need a "claim"');
    return undefined;
  }
  const path: readonly unknown[] = Array.isArray(claim) ? claim : [claim];
  if (path.length === 0 || !path.every((name) => typeof name === "string" && name !== ""))
    problems.push('"claim" must be the name of a claim, or an array of names such as ["realm_access","roles"]');
  if (tests !== 1) problems.push('"claim" needs either "has" or "equals"');
  if (has !== undefined && (typeof has !== "string" || has === "")) problems.push('"has" must be a text');
  if (equals !== undefined && !["string", "number", "boolean"].includes(typeof equals))
    problems.push('"equals" must be a text, a number, true or false');
  const test = has === undefined ? { equals: equals as string } : { has: has as string };
  return { path: path as readonly string[], test };
}

function parseRights(value: unknown, problems: string[]): ReadonlySet<Right> {
  if (!Array.isArray(value) || value.length === 0) {
    problems.push(`"rights" must be an array of ${RIGHTS.join(", ")}`);
    return new Set();
  }
  const unknown = value.filter((right) => !(RIGHTS as readonly unknown[]).includes(right));
  if (unknown.length > 0)
    problems.push(`"rights" must be of ${RIGHTS.join(", ")}, not ${listChoices(unknown.map(show))}`);
  return new Set(value as Right[]);
}

function parseAlbums(value: unknown, problems: string[]): "*" | readonly AlbumTemplate[] {
  if (value === "*") return value;
  if (!Array.isArray(value) || value.length === 0) {
    problems.push('"albums" must be "*" for all albums, or an array of patterns such as ["u-{sub}.*"]');
    return [];
  }
  return value.flatMap((pattern) => {
    try {
      if (typeof pattern !== "string") throw new Error("must be a text");
      return [parseTemplate(pattern)];
    } catch (error) {
      problems.push(`the pattern ${show(pattern)} ${(error as Error).message}`);
      return [];
    }
  });
}

const show = (value: unknown): string => quote(typeof value === "string" ? value : JSON.stringify(value));

/**
 * A name, a beginning of names with `*` at its end, or either with claims in braces.
 * @throws Error whose message says what the pattern must be
 */
export function parseTemplate(text: string): AlbumTemplate {
  if (text === "*") throw new Error('stands for all albums: write "albums": "*"');
  const isPrefix = text.endsWith("*");
  const body = isPrefix ? text.slice(0, -1) : text;
  if (body.includes("*")) throw new Error("must have * at its end only");
  const parts = body.split(/(\{[^{}]*\})/).flatMap((part): TemplatePart[] => {
    if (part === "") return [];
    return part.startsWith("{") && part.endsWith("}") ? [{ claim: part.slice(1, -1) }] : [part];
  });
  const claims = parts.filter((part) => typeof part !== "string");
  if (claims.some(({ claim }) => claim === "")) throw new Error("must have the name of a claim between braces");
  if (parts.some((part) => typeof part === "string" && /[{}]/.test(part)))
    throw new Error("has a brace without its pair");
  if (parts.some((part, index) => typeof part !== "string" && typeof parts[index + 1] === "object"))
    throw new Error("must have a character between its claims, so that their values cannot be confused");
  if (isPrefix && typeof parts.at(-1) === "object")
    throw new Error('must have a character between "}" and "*": else ann would get the albums of anna');
  // As if each claim had the shortest value.
  const filled = parts.map((part) => (typeof part === "string" ? part : "x")).join("");
  if (!isName(filled))
    throw new Error("can match no album, whose name must be in NFC and must not hold control characters or /");
  return { text, parts, isPrefix };
}

function clashesOf(rules: readonly TokenRule[]): string[] {
  const templates = rules.flatMap(({ albums }, index) =>
    albums === "*" ? [] : albums.map((template) => ({ template, rule: index + 1 })),
  );
  return templates.flatMap(({ template, rule }, index) => {
    const other = templates.slice(0, index).find((earlier) => clash(earlier.template, template));
    if (other === undefined) return [];
    const where = other.rule === rule ? "" : ` of rule ${other.rule}`;
    return [
      `rule ${rule}: a token could choose a claim so that ${quote(template.text)} and ${quote(other.template.text)}${where} match the same album. Let their fixed beginnings differ`,
    ];
  });
}
