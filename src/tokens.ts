import type { Config } from "./config.ts";
import type { Grant } from "./domain/caller.ts";
import type { FailureReports } from "./observe/errors.ts";
import type { Logger } from "./observe/logger.ts";
import type { Metrics } from "./observe/metrics.ts";
import { observeTokens } from "./observe/observers.ts";
import { createTokenCallers, type TokenCallers } from "./operations/token-callers.ts";
import type { Login } from "./ports/token-verifier.ts";

export interface TokenOptions {
  /** How often the keys of the tokens' issuer are fetched, in milliseconds; default: as docs/access.md says. */
  readonly issuerKeys?: { readonly interval: number; readonly cooldown: number };
}

interface TokenDeps extends TokenOptions {
  /** What every caller may do. */
  readonly grantsOfAll: readonly Grant[];
  readonly reports: FailureReports;
  readonly metrics: Metrics;
}

interface Tokens {
  readonly callers: TokenCallers;
  /** Replaces the rules, and the keys where they come from a file; else it asks the issuer for its keys. */
  replace(config: Config["tokens"]): void;
}

/** Accepts tokens of another login; undefined where the configuration names none. */
export async function openTokens(
  opening: AsyncDisposableStack,
  config: Config["tokens"],
  { issuerKeys, grantsOfAll, reports, metrics }: TokenDeps,
): Promise<Tokens | undefined> {
  if (config === undefined) return undefined;
  // On demand: most stores have no other login.
  const { createJwtVerifier } = await import("./adapters/tokens/jwt.ts");
  const observer = observeTokens(reports, metrics);
  const verifier = opening.use(createJwtVerifier({ ...config, ...issuerKeys, observer }));
  const onUnfit = (claims: readonly string[]) => observer.unfit(claims);
  const callers = createTokenCallers({ verifier, rules: config.rules, grantsOfAll, onUnfit });
  return {
    callers,
    replace(replacement) {
      if (replacement === undefined) return;
      verifier.reload(replacement.keys);
      callers.replaceRules(replacement.rules);
    },
  };
}

/** Lets people sign in to the page at the issuer; undefined where the configuration names no client for that. */
export async function openLogin(config: Config["login"], logger: Logger): Promise<Login | undefined> {
  if (config === undefined) return undefined;
  const { createIssuerLogin } = await import("./adapters/tokens/issuer-login.ts");
  const onFailure = (error: unknown) => logger.warn({ error }, "the issuer of tokens could not be asked for its login");
  return createIssuerLogin({ ...config, onFailure });
}
