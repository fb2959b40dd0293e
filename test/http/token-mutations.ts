import { secondsFromNow } from "./test-tokens.ts";

/** From 0 to `below`, the same in every run. */
let state = 1;
function random(below: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}
const pick = <Item>(items: readonly Item[]): Item => items[random(items.length)] as Item;

type Parts = readonly [header: string, payload: string, signature: string];
const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const decode = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>;
export const bytesOf = (part: string): Buffer => Buffer.from(part, "base64url");

const replaceAt = (text: string, at: number, character: string): string =>
  text.slice(0, at) + character + text.slice(at + 1);

/** Each changes a valid token, or makes another of two. */
const MUTATIONS_OF: Readonly<Record<string, (parts: Parts, other: Parts) => string>> = {
  "another character": (parts) =>
    replaceAt(parts.join("."), random(parts.join(".").length), pick(Array.from(BASE64URL))),
  "a flipped bit of the signature": ([header, payload, signature]) => {
    const bytes = bytesOf(signature);
    const at = random(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
    return `${header}.${payload}.${bytes.toString("base64url")}`;
  },
  "another claim": ([header, payload, signature]) => {
    const change = pick<Record<string, unknown>>([
      { sub: `bob${random(99)}` },
      { exp: secondsFromNow(1000 + random(1000)) },
      { scope: "openid images admin" },
      { aud: ["image-store", "b"] },
      { iat: undefined },
    ]);
    return `${header}.${encode({ ...decode(payload), ...change })}.${signature}`;
  },
  "the claims in another order": ([header, payload, signature]) =>
    `${header}.${encode(Object.fromEntries(Object.entries(decode(payload)).toReversed()))}.${signature}`,
  "another header": ([header, payload, signature]) => {
    const change = pick<Record<string, unknown>>([
      { alg: pick(["none", "None", "HS256", "HS512", "RS512", "ES512", "EdDSA", "PS256", "ES256", "RS256", ""]) },
      { kid: pick(["RS256-key", "ES256-key", "EdDSA-key", "PS256-key", "../../dev/null", ""]) },
      { typ: "JWT" },
      { jku: "http://127.0.0.1:1/" },
      { jwk: { kty: "oct", k: "c2VjcmV0" } },
      { x: random(1e6) },
    ]);
    const text = encode({ ...decode(header), ...change });
    return text === header ? `${text}A.${payload}.${signature}` : `${text}.${payload}.${signature}`;
  },
  "a cut token": (parts) => parts.join(".").slice(0, -1 - random(40)),
  "a longer signature": (parts) => parts.join(".") + pick(Array.from(BASE64URL)).repeat(1 + random(4)),
  "padding after a part": ([header, payload, signature]) =>
    pick([
      `${header}=.${payload}.${signature}`,
      `${header}.${payload}=.${signature}`,
      `${header}.${payload}.${signature}==`,
    ]),
  "the alphabet of plain base64": (parts) => {
    const text = parts.join(".");
    const plain = text.replaceAll("-", "+").replaceAll("_", "/");
    return plain === text ? `${text}+` : plain;
  },
  "other unused bits at the end of the signature": ([header, payload, signature]) => {
    const last = BASE64URL.indexOf(signature.at(-1) ?? "");
    return `${header}.${payload}.${signature.slice(0, -1)}${BASE64URL[last ^ (1 + random(3))]}`;
  },
  "the signature of another token": ([header, payload], [, , signature]) => `${header}.${payload}.${signature}`,
  "the payload of another token": ([header, , signature], [, payload]) => `${header}.${payload}.${signature}`,
  "the header of another token": ([, payload, signature], [header]) => `${header}x.${payload}.${signature}`,
  "a signature of zeros": ([header, payload, signature]) =>
    `${header}.${payload}.${Buffer.alloc(bytesOf(signature).length).toString("base64url")}`,
  "halves of the signature swapped": ([header, payload, signature]) => {
    const bytes = bytesOf(signature);
    const half = bytes.length / 2;
    return `${header}.${payload}.${Buffer.concat([bytes.subarray(half), bytes.subarray(0, half)]).toString("base64url")}`;
  },
  "a dot elsewhere": (parts) => {
    const text = parts.join("");
    const [one, two] = [1 + random(text.length - 2), 1 + random(text.length - 2)].toSorted((a, b) => a - b) as [
      number,
      number,
    ];
    const moved = `${text.slice(0, one)}.${text.slice(one, two)}.${text.slice(two)}`;
    return moved === parts.join(".") ? `${moved}A` : moved;
  },
  "no signature": ([header, payload]) => `${header}.${payload}.`,
};

/**
 * So many different texts that are none of the tokens, with what was done to one of them. The same for the same tokens.
 * @throws Error where a way to change a token made none
 */
export function mutateTokens(tokens: readonly string[], count: number): ReadonlyMap<string, string> {
  const kinds = Object.keys(MUTATIONS_OF);
  const mutated = new Map<string, string>();
  while (mutated.size < count) {
    const kind = pick(kinds);
    const [one, two] = [pick(tokens), pick(tokens)].map((token) => token.split(".")) as unknown as [Parts, Parts];
    const token = MUTATIONS_OF[kind]?.(one, two) ?? "";
    if (!tokens.includes(token)) mutated.set(token, kind);
  }
  const made = new Set(mutated.values());
  if (made.size < kinds.length) throw new Error(`Only ${[...made].join(", ")} made a token.`);
  return mutated;
}
