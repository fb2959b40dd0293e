import { expect, test } from "bun:test";
import type { CallerKind } from "../../src/domain/access.ts";
import { readIdempotencyKey } from "../../src/http/idempotency-key.ts";
import type { RouteRequest } from "../../src/http/route.ts";

const scopeOf = (kind: CallerKind, id: string | null) =>
  readIdempotencyKey({
    raw: new Request("http://localhost/", { headers: { "Idempotency-Key": "k" } }),
    method: "POST",
    path: "/v1/albums",
    caller: { kind, id, name: null, grants: [] },
  } as unknown as RouteRequest)?.scope;

test("an Idempotency-Key of a caller is never that of a caller of another kind with the same id", () => {
  const kinds = ["key", "token", "session", "share", "ticket"] as const;
  const scopes = kinds.map((kind) => scopeOf(kind, "app"));
  expect(new Set([...scopes, scopeOf("local", null)]).size).toBe(kinds.length + 1);
  // As versions stored it that knew no other kind.
  expect(scopes[0]).toBe('["app","POST","/v1/albums"]');
});
