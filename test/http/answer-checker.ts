import { expect } from "bun:test";
import Ajv, { type ValidateFunction } from "ajv/dist/2020";
import addFormats from "ajv-formats";
import type { OpenApiDocument } from "../../src/http/openapi.ts";

interface Media {
  readonly schema?: object;
  readonly examples?: Readonly<Record<string, unknown>>;
}
/** What the server, the runtime and CORS give any answer. */
const COMMON =
  /^(date|connection|transfer-encoding|keep-alive|content-type|content-length|cache-control|x-request-id|x-content-type-options|vary|access-control-.*|content-security-policy|referrer-policy|cross-origin-(?:resource|opener)-policy)$/;

interface DocumentedAnswer {
  readonly headers?: Readonly<Record<string, object>>;
  readonly content?: Readonly<Record<string, Media>>;
}
interface Operation {
  readonly operationId: string;
  /** By media type: the operation that documents what this one takes or gives beside its own. */
  readonly "x-alternatives"?: Readonly<Record<string, { readonly operationId: string }>>;
  readonly responses: Readonly<Record<string, DocumentedAnswer>>;
}

/** What a server may say where no operation is: no such path, no such method, a Host that it does not answer to. */
const OUTSIDE = new Set(["not_found", "method_not_allowed", "invalid_host", "forbidden_origin"]);

/** The validator's own wording, which means nothing to who sent the request. */
const VALIDATOR_WORDS =
  /\b(Invalid (input|option|string|key|ISO|UUID)|Too (big|small)|Unrecognized key|received (undefined|NaN))|"\|"/;

/**
 * Checks answers against openapi.json: the status is documented for the operation, the type too, the body fits its
 * schema, an error has a code that is documented, headers are documented, and there is a request id. The paths of the page are
 * not documented; they give documents.
 */
export function createAnswerChecker(document: OpenApiDocument, pagePaths: readonly string[] = []) {
  const ofPage = pagePaths.map(patternOf);
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, "openapi");
  const paths = Object.entries(document.paths ?? {}).map(([path, item]) => ({
    path,
    pattern: patternOf(path),
    operations: item as unknown as Readonly<Record<string, Operation>>,
  }));
  const covered = new Set<string>();

  const compiled = new Map<string, ValidateFunction>();

  function requireFit(value: unknown, pointer: readonly string[]): void {
    const reference = pointer.map((part) => `/${encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))}`);
    const $ref = `openapi#${reference.join("")}`;
    const validate = compiled.getOrInsertComputed($ref, () => ajv.compile({ $ref }));
    if (!validate(value)) {
      expect.unreachable(`${pointer.join(" ")}: ${ajv.errorsText(validate.errors)}\n${JSON.stringify(value)}`);
    }
  }

  return {
    /** `operationId status` of everything that was checked. */
    covered,

    /** Fails where the value does not fit the schema at this place of openapi.json. */
    requireFit,

    /** The answer's body is left to be read, unless it is a stream of events, which is not looked at. */
    async check(method: string, path: string, response: Response, sentType = ""): Promise<void> {
      const where = `${method} ${path} → ${response.status}`;
      const requestId = response.headers.get("x-request-id");
      expect(requestId, `${where}: X-Request-Id`).toBeTruthy();
      const type = response.headers.get("content-type")?.split(";")[0] ?? "";
      const isJson = type === "application/json" || type.endsWith("+json");
      const body: unknown = isJson && method !== "HEAD" ? await response.clone().json() : undefined;
      if (type === "application/problem+json" && body !== undefined) {
        expect(body, where).toMatchObject({ status: response.status, requestId });
        requireFit(body, ["components", "schemas", "Problem"]);
        expect(JSON.stringify({ ...(body as object), title: "" }), where).not.toMatch(VALIDATOR_WORDS);
      }
      const code = (body as { code?: string } | undefined)?.code ?? "";

      const key = method === "HEAD" ? "get" : method.toLowerCase();
      // A path that is documented as it is wins over one with parameters, also for methods that only the other has.
      const named =
        paths.find((one) => one.path === path) ??
        paths.find(({ pattern, operations }) => pattern.test(path) && operations[key] !== undefined);
      const others = named?.operations[key]?.["x-alternatives"] ?? {};
      // A 304 has no type: it may be of any.
      const untyped = response.status === 304 ? Object.values(others)[0] : undefined;
      const other = (others[sentType] ?? others[type] ?? untyped)?.operationId;
      const found = other === undefined ? named : paths.find((one) => one.operations[key]?.operationId === other);
      const operation = found?.operations[key];
      if (found === undefined || operation === undefined) {
        if (ofPage.some((pattern) => pattern.test(path)) && (type === "text/html" || response.status === 304)) return;
        const isOptions = method === "OPTIONS" && response.status === 204;
        if (!isOptions && method !== "HEAD") expect([...OUTSIDE], where).toContain(code);
        return;
      }
      covered.add(`${operation.operationId} ${response.status}`);
      const documented = operation.responses[response.status];
      if (documented === undefined) expect.unreachable(`${where} is not documented for ${operation.operationId}`);
      const here = named?.operations[key]?.responses[response.status]?.headers;
      const names = Object.keys({ ...documented.headers, ...here }).map((name) => name.toLowerCase());
      const undocumented = [...response.headers.keys()].filter((name) => !COMMON.test(name) && !names.includes(name));
      expect(undocumented, `${where}: headers that are not documented`).toEqual([]);
      if (documented.content === undefined) {
        expect(await response.clone().text(), `${where}: no body is documented`).toBe("");
        return;
      }
      const media = documented.content[type];
      if (media === undefined) expect.unreachable(`${where}: the type "${type}" is not documented`);
      if (type === "application/problem+json" && method !== "HEAD") {
        expect(Object.keys(media.examples ?? {}), where).toContain(code);
      } else if (body !== undefined) {
        requireFit(body, ["paths", found.path, key, "responses", String(response.status), "content", type, "schema"]);
      }
    },
  };
}

const patternOf = (path: string) => new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]*")}$`);
