import { createClient, StoreError } from "../../../client/src/index.ts";
import { seeHelp, UsageError } from "../arguments.ts";
import { EXIT } from "../context.ts";
import { describeGrant, expiryText } from "../key-arguments.ts";
import type { RemoteCall } from "./connection.ts";
import { type Claims, claimsOf, problemsOf } from "./token-claims.ts";

/** Says whom the store takes a token for. What the claims alone show comes from the token itself. */
export async function showToken(call: RemoteCall): Promise<number> {
  const { signal, print, context, url } = call;
  const token = readToken(call);
  const claims = token === undefined ? undefined : claimsOf(token);
  const problems = claims === undefined ? [] : problemsOf(claims, Date.now() / 1000);
  try {
    const client = token === undefined ? call.client : createClient({ url, key: token });
    const me = await client.send("GET", "/v1/me", { signal });
    const { kind, id, name } = me.caller;
    const grants = me.grants.map((grant) => `grant:    ${describeGrant(grant)}`);
    const lines = [
      `caller:   ${[kind, id, name].filter((part) => part !== null).join(" ")}`,
      `expiry:   ${expiryText(me.expiresAt)}`,
      ...(grants.length > 0 ? grants : [`grant:    none${kind === "token" ? ": no rule of the store applies" : ""}`]),
      ...linesOf(claims),
    ];
    await print({ accepted: true, ...me, claims: claims?.payload ?? null, problems }, lines.join("\n"));
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "unauthorized" || claims === undefined) throw error;
    await print(
      { accepted: false, claims: claims.payload, problems },
      [...linesOf(claims), ...problems.map((problem) => `problem:  ${problem}`)].join("\n"),
    );
    const why =
      problems.length > 0
        ? ""
        : " Its claims look right: compare iss, aud and kid with the store's log, which has the reason.";
    context.err(`The store at ${url} refuses the token.${why}\n`);
    return EXIT.failed;
  }
}

/** @throws UsageError */
function readToken({ operands, context, key }: RemoteCall): string | undefined {
  const [given] = operands;
  const text = given === "-" ? (context.readFile("/dev/stdin").split("\n", 1)[0] ?? "").trim() : (given ?? key);
  if (text === undefined || /^[\x21-\x7e]+$/.test(text)) return text;
  throw new UsageError(`A token has visible ASCII characters only, and at least one. ${seeHelp("token")}`);
}

const linesOf = (claims: Claims | undefined): readonly string[] =>
  claims === undefined
    ? []
    : Object.entries({ ...claims.header, ...claims.payload }).map(
        ([name, value]) => `claim:    ${name} = ${JSON.stringify(value)}`,
      );
