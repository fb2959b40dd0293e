import { postgresIsMissing } from "../services/postgres-server.ts";
import { catalogContract } from "./catalog.ts";
import { usePostgresCatalogs } from "./catalog-postgres.ts";

if (!postgresIsMissing()) {
  const { open } = usePostgresCatalogs();

  catalogContract("PostgreSQL", () => open());
}
