import { DatabaseError } from "pg";
import { StoreError } from "../../../domain/errors.ts";
import { StoreOpenError } from "../../../domain/open-error.ts";

/** SQLSTATEs that pass by themselves: start-up, fail-over, too many connections. */
const PASSING_ANSWER = /^(08|25006|53|55P03|57P0|57014|58)/;
const PASSING_CALL =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|ENOTFOUND|EAI_AGAIN)$/;
/** Messages of the client library, which have no code. */
const PASSING_WORDS = /timeout|terminated unexpectedly|connection terminated|closed the connection/i;

/** Words in permanent errors of the client library and of TLS. */
const REFUSING_WORDS = /\b(SSL|TLS|SASL|SCRAM|certificate|password)\b/i;

/** SQLSTATEs that mean that another program has tables of these names. */
const FOREIGN = /^(42P07|42710|42P01|42703|42804)$/;

/**
 * Explains why the catalog did not open: StoreError `unavailable` for a failure that will pass, StoreOpenError for one that the
 * operator must fix.
 * @param place URL of the database without credentials
 */
export function explainOpenFailure(place: string, error: unknown): unknown {
  if (error instanceof StoreOpenError || error instanceof StoreError || !(error instanceof Error)) return error;
  const { code = "" } = error as { code?: string };
  const said = `${place}: ${wordsOf(error)}`;
  if (isPassing(error, code))
    return new StoreError("unavailable", `PostgreSQL is not available: ${said}`, { cause: error });
  if (error instanceof DatabaseError && FOREIGN.test(code))
    return new StoreOpenError(
      "foreign_schema",
      `The database has tables of another program with names that the store needs. ${said}. Set IMAGE_STORE_CATALOG_URL to ` +
        "a database of the store's own.",
      { cause: error },
    );
  if (code === "" && !REFUSING_WORDS.test(error.message)) return error;
  return new StoreOpenError("unusable", `PostgreSQL refuses the store. ${said}`, { cause: error });
}

const isPassing = (error: Error, code: string): boolean =>
  error instanceof DatabaseError
    ? PASSING_ANSWER.test(code)
    : PASSING_CALL.test(code) ||
      firstErrors(error).some((each) => PASSING_CALL.test(each.code ?? "")) ||
      (code === "" && PASSING_WORDS.test(error.message));

/** A host name with several addresses has an error for each. */
const firstErrors = (error: Error): readonly (Error & { code?: string })[] =>
  error instanceof AggregateError ? (error.errors as (Error & { code?: string })[]) : [];

const wordsOf = (error: Error): string =>
  error.message ||
  firstErrors(error)
    .map(({ message }) => message)
    .join("; ") ||
  error.name;
