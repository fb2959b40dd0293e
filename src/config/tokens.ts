import { isTrustedUrl, type JsonWebKeySet, type TokenAlgorithm, type TokenType } from "../domain/token.ts";
import type { TokenRule } from "../domain/token-rules.ts";
import { parseKeySet } from "./key-set.ts";
import type { SettingName, SettingValues } from "./settings.ts";
import { parseTokenRules } from "./token-rules.ts";

/** How JWTs of another login are verified, and what they may do. */
export interface TokensConfig {
  /** What `iss` must be; undefined: anything. */
  readonly issuer: string | undefined;
  /** Undefined: the issuer is asked. */
  readonly keys: JsonWebKeySet | undefined;
  /** A token's `aud` must have one of them. */
  readonly audiences: readonly string[];
  readonly algorithms: readonly TokenAlgorithm[];
  readonly types: readonly TokenType[];
  readonly rules: readonly TokenRule[];
}

/**
 * Undefined where no tokens are accepted.
 * @param tell called with each problem and its setting; then the result is of no use
 */
export function readTokens(
  values: SettingValues,
  readFile: (path: string) => string,
  tell: (setting: SettingName, problem: string) => void,
): TokensConfig | undefined {
  const { JWT_ISSUER: issuer, JWT_KEYS_FILE: keysFile, JWT_AUDIENCE: audiences, JWT_RULES: rules } = values;
  if (issuer === undefined && keysFile === undefined) {
    for (const [name, value] of [["JWT_AUDIENCE", audiences] as const, ["JWT_RULES", rules] as const])
      if (value !== undefined) tell(name, "has no effect without IMAGE_STORE_JWT_ISSUER or IMAGE_STORE_JWT_KEYS_FILE");
    return undefined;
  }
  const source = issuer === undefined ? "IMAGE_STORE_JWT_KEYS_FILE" : "IMAGE_STORE_JWT_ISSUER";
  if (audiences === undefined)
    tell("JWT_AUDIENCE", `must be set with ${source}: without it, tokens for other services would be accepted`);
  if (rules === undefined) tell("JWT_RULES", `must be set with ${source}: without rules, no token may do anything`);
  const attempt = <Value>(name: SettingName, work: () => Value): Value | undefined => {
    try {
      return work();
    } catch (error) {
      tell(name, (error as Error).message);
      return undefined;
    }
  };
  if (issuer !== undefined) attempt("JWT_ISSUER", () => requireIssuer(issuer));
  const keys =
    keysFile === undefined
      ? undefined
      : attempt("JWT_KEYS_FILE", () => parseKeySet(readFile(keysFile), values.JWT_ALGORITHMS));
  return {
    issuer,
    keys,
    audiences: audiences ?? [],
    algorithms: values.JWT_ALGORITHMS,
    types: values.JWT_TYPES,
    rules: rules === undefined ? [] : readRules(rules, readFile, attempt, tell),
  };
}

function readRules(
  setting: string,
  readFile: (path: string) => string,
  attempt: (name: SettingName, work: () => string) => string | undefined,
  tell: (setting: SettingName, problem: string) => void,
): readonly TokenRule[] {
  const isInline = /^\s*[[{]/.test(setting);
  const text = isInline ? setting : attempt("JWT_RULES", () => readFile(setting));
  if (text === undefined) return [];
  const { rules, problems } = parseTokenRules(text);
  for (const problem of problems) tell("JWT_RULES", problem);
  return rules;
}

/** How people sign in to the page at the issuer. */
export interface LoginConfig {
  readonly issuer: string;
  readonly clientId: string;
  readonly scope: string;
  readonly query: string;
}

/** What the page sets itself. */
const OF_PAGE = [
  "client_id",
  "code_challenge",
  "code_challenge_method",
  "nonce",
  "redirect_uri",
  "response_mode",
  "response_type",
  "scope",
  "state",
];

/**
 * Undefined where people cannot sign in to the page at an issuer.
 * @param tell called with each problem and its setting; then the result is of no use
 */
export function readLogin(
  values: SettingValues,
  tell: (setting: SettingName, problem: string) => void,
): LoginConfig | undefined {
  const { PAGE_CLIENT_ID: clientId, PAGE_SCOPE: scope, PAGE_LOGIN_QUERY: query = "", JWT_ISSUER: issuer } = values;
  if (clientId === undefined) {
    if (query !== "") tell("PAGE_LOGIN_QUERY", "has no effect without IMAGE_STORE_PAGE_CLIENT_ID");
    return undefined;
  }
  if (!values.PAGE) tell("PAGE_CLIENT_ID", "has no effect with IMAGE_STORE_PAGE=false");
  if (!scope.split(" ").includes("openid")) tell("PAGE_SCOPE", `must contain openid, not "${scope}"`);
  const own = OF_PAGE.find((name) => new URLSearchParams(query).has(name));
  if (own !== undefined) tell("PAGE_LOGIN_QUERY", `must not have ${own}, which the page sets`);
  if (issuer === undefined) {
    tell("PAGE_CLIENT_ID", "needs IMAGE_STORE_JWT_ISSUER: people sign in there");
    return undefined;
  }
  return { issuer, clientId, scope, query };
}

const MAX_ISSUER_LENGTH = 255;

/** It stays as it was written, since it is compared as text. */
function requireIssuer(issuer: string): void {
  const url = URL.parse(issuer);
  if (url === null || !isTrustedUrl(url))
    throw new Error("must be an https URL such as https://login.example.org (http only on loopback)");
  if (url.username !== "" || url.password !== "" || /[?#\s]/.test(issuer))
    throw new Error("must be a URL without user, query and fragment");
  if (issuer.length > MAX_ISSUER_LENGTH) throw new Error(`must be at most ${MAX_ISSUER_LENGTH} characters long`);
}
