import { writeFile } from "node:fs/promises";
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";

export const ISSUER = "https://login.example.org";
export const AUDIENCE = "image-store";
export const RULES =
  '[{"claim":"scope","has":"images","rights":["read","write","delete","events"],"albums":["u-{sub}-*"]}]';

/** A login's key, and tokens that it signs. */
export interface TestSigner {
  /** As a JWKS has it. */
  readonly publicJwk: JWK;
  readonly privateJwk: JWK;
  /** A valid token for `ann` with the scope `images`, but for what is given. `undefined` leaves a claim out. */
  sign(claims?: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): Promise<string>;
}

export async function createSigner(alg = "ES256", kid = `${alg}-key`): Promise<TestSigner> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return {
    publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" },
    privateJwk: { ...(await exportJWK(privateKey)), kid, alg },
    sign: (claims = {}, header = {}) =>
      new SignJWT({ ...validClaims(), ...claims })
        .setProtectedHeader({ alg, kid, typ: "at+jwt", ...header })
        .sign(privateKey),
  };
}

/** Seconds since 1970. */
export const secondsFromNow = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

export const validClaims = () => ({
  iss: ISSUER,
  aud: AUDIENCE,
  sub: "ann",
  scope: "openid images",
  iat: secondsFromNow(0),
  exp: secondsFromNow(300),
});

export const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

/** Settings of a store that accepts the signer's tokens, whose key it reads from `path`. */
export async function tokenSettings(path: string, signers: readonly TestSigner[]) {
  await writeFile(path, JSON.stringify({ keys: signers.map(({ publicJwk }) => publicJwk) }));
  return { JWT_KEYS_FILE: path, JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE, JWT_RULES: RULES };
}
