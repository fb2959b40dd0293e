/** What a JWT says. Nothing of it is verified. */
export interface Claims {
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** undefined if the text is no JWT. */
export function claimsOf(token: string): Claims | undefined {
  const parts = token.split(".");
  if (parts.length !== 3) return undefined;
  const [header, payload] = parts.slice(0, 2).map(objectOf);
  return header === undefined || payload === undefined ? undefined : { header, payload };
}

function objectOf(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString());
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // It is no JWT.
  }
  return undefined;
}

/** The issuer's clock may be so far ahead, in seconds. */
const LEEWAY = 30;
const OF_ID_TOKENS = ["nonce", "at_hash", "c_hash"];

/**
 * Why every store refuses the token, as docs/tokens.md lists it. Signature, issuer and audience are the store's to judge.
 * @param now in seconds since 1970
 */
export function problemsOf({ header, payload }: Claims, now: number): readonly string[] {
  const { alg, typ } = header;
  const { exp, sub, nbf, iat } = payload;
  const problems: string[] = [];
  if (typeof alg !== "string" || alg === "none" || alg.startsWith("HS"))
    problems.push(`alg is ${JSON.stringify(alg)}: the store accepts signatures by a key pair only`);
  if (typeof typ !== "string" || !/^(application\/)?(at\+)?jwt$/i.test(typ))
    problems.push(`typ is ${JSON.stringify(typ)}, not at+jwt or JWT`);
  if (payload["aud"] === undefined) problems.push("aud is absent");
  if (typeof sub !== "string" || sub.length === 0 || sub.length > 255)
    problems.push("sub must be a text of 1 to 255 characters");
  if (typeof exp !== "number") problems.push("exp is absent");
  else if (exp <= now) problems.push(`it expired ${timeOf(exp)}`);
  for (const [name, time] of Object.entries({ nbf, iat }))
    if (typeof time === "number" && time > now + LEEWAY) problems.push(`${name} is in the future: ${timeOf(time)}`);
  if (Object.hasOwn(payload, "cnf"))
    problems.push("cnf binds it to a key of its client, which the store cannot verify");
  const ofIdToken = OF_ID_TOKENS.find((name) => Object.hasOwn(payload, name));
  if (ofIdToken !== undefined) problems.push(`${ofIdToken} marks an ID token: send an access token`);
  return problems;
}

const timeOf = (seconds: number): string =>
  Math.abs(seconds) < 8.64e12 ? new Date(seconds * 1000).toISOString() : String(seconds);
