import { expect, test } from "bun:test";
import { postgresIsMissing } from "../services/postgres-server.ts";
import { usePostgresCatalogs } from "./catalog-postgres.ts";

if (!postgresIsMissing()) {
  const { open, createDatabase } = usePostgresCatalogs();

  test("nodes may start at once on an empty database", async () => {
    const url = await createDatabase();
    const nodes = await Promise.all(Array.from({ length: 6 }, () => open({ url, poolSize: 1 })));
    await using stack = new AsyncDisposableStack();
    for (const node of nodes) stack.use(node);
    expect(new Set(nodes.map(({ storeId }) => storeId)).size).toBe(1);
  });
}
