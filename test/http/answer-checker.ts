import { expect } from "bun:test";
import Ajv, { type ValidateFunction } from "ajv/dist/2020";
import addFormats from "ajv-formats";
import type { OpenApiDocument } from "../../src/http/openapi.ts";

interface Media {
  readonly schema?: object;
  readonly examples?: Readonly<Record<string, unknown>>;
}
interface DocumentedAnswer {
  readonly content?: Readonly<Record<string, Media>>;
}
interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, DocumentedAnswer>>;
}

/** What a server may say where no operation is: no such path, no such method, a Host that it does not answer to. */
const OUTSIDE = new Set(["not_found", "method_not_allowed", "invalid_host", "forbidden_origin"]);

/**
 * Checks answers against openapi.json: the status is documented for the operation, the type too, the body fits its
 * schema, an error has a code that is documented, and there is a request id.
 */
export function createAnswerChecker(document: OpenApiDocument) {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, "openapi");
  const paths = Object.entries(document.paths ?? {}).map(([path, item]) => ({
    path,
    pattern: new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]*")}$`),
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
    async check(method: string, path: string, response: Response): Promise<void> {
      const where = `${method} ${path} → ${response.status}`;
      const requestId = response.headers.get("x-request-id");
      expect(requestId, `${where}: X-Request-Id`).toBeTruthy();
      const type = response.headers.get("content-type")?.split(";")[0] ?? "";
      const isJson = type === "application/json" || type.endsWith("+json");
      const body: unknown = isJson && method !== "HEAD" ? await response.clone().json() : undefined;
      if (type === "application/problem+json" && body !== undefined) {
        expect(body, where).toMatchObject({ status: response.status, requestId });
        requireFit(body, ["components", "schemas", "Problem"]);
      }
      const code = (body as { code?: string } | undefined)?.code ?? "";

      const found = paths.find(({ pattern }) => pattern.test(path));
      const key = method === "HEAD" ? "get" : method.toLowerCase();
      const operation = found?.operations[key];
      if (found === undefined || operation === undefined) {
        const isOptions = method === "OPTIONS" && response.status === 204;
        if (!isOptions && method !== "HEAD") expect([...OUTSIDE], where).toContain(code);
        return;
      }
      covered.add(`${operation.operationId} ${response.status}`);
      const documented = operation.responses[response.status];
      if (documented === undefined) expect.unreachable(`${where} is not documented for ${operation.operationId}`);
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
