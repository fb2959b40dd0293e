import { TOKEN_ALGORITHMS, TOKEN_TYPES } from "../domain/token.ts";
import type { Setting } from "./setting.ts";
import { oneOf, splitList } from "./values.ts";

const text = (value: string): string => value;
const list =
  <Item>(parse: (text: string) => Item) =>
  (value: string): readonly Item[] => {
    const items = splitList(value).map(parse);
    if (items.length === 0) throw new Error("must not be empty");
    return items;
  };

export const TOKENS = {
  JWT_ISSUER: {
    parse: text,
    help: "Issuer of the JWTs that clients send as keys, such as https://login.example.org. The store finds its keys by OpenID Connect discovery. A token's iss must equal it.",
  },
  JWT_KEYS_FILE: {
    parse: text,
    help: "JWKS file of the keys that sign JWTs, instead of discovery. Without JWT_ISSUER, iss may be anything.",
  },
  JWT_AUDIENCE: {
    parse: list(text),
    help: "Audiences, separated by commas, of which a token's aud must have one. Required with JWT_ISSUER and JWT_KEYS_FILE.",
  },
  JWT_RULES: {
    parse: text,
    help: 'Grants by claims, as a JSON array or the path of a file with one: [{"claim":"scope","has":"images","rights":["read","write"],"albums":["u-{sub}.*"]}]. Required with JWT_ISSUER and JWT_KEYS_FILE.',
  },
  JWT_ALGORITHMS: {
    parse: list(oneOf(...TOKEN_ALGORITHMS)),
    help: `Signature algorithms that a token may have, separated by commas, of ${TOKEN_ALGORITHMS.join(", ")}.`,
    default: "RS256,PS256,ES256,EdDSA,Ed25519",
  },
  JWT_TYPES: {
    parse: list(oneOf(...TOKEN_TYPES)),
    help: "Values of typ that a token may have, separated by commas. at+jwt alone accepts only access tokens by RFC 9068.",
    default: "at+jwt,JWT",
  },
  PAGE_CLIENT_ID: {
    parse: text,
    help: "Id of the public client by which people sign in to the page at JWT_ISSUER (authorization code with PKCE).",
  },
  PAGE_SCOPE: {
    parse: text,
    help: "Scope that the page asks the issuer for, such as openid images. It must contain openid.",
    default: "openid",
  },
  PAGE_LOGIN_QUERY: {
    parse: text,
    help: "Query that the page adds to its request for authorization, where the issuer wants to know for which audience the token is: resource=https://images.example.org, audience=https://images.example.org.",
  },
} satisfies Readonly<Record<string, Setting<unknown>>>;
