import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmod, chown } from "node:fs/promises";
import { join } from "node:path";
import { openPostgresCatalog } from "../../src/adapters/catalog/postgres.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { postgresBinaries } from "./postgres-binaries.ts";
import { type PostgresServer, postgresIsMissing, startPostgres } from "./postgres-server.ts";
import { run } from "./run.ts";

const request = (name: string) => `req -newkey rsa:2048 -nodes -subj /CN=${name} -keyout ${name}.key`;

function opensslIsMissing(): boolean {
  if (Bun.which("openssl") !== null) return false;
  const message = "The test of TLS to PostgreSQL needs openssl.";
  if (process.env["CI"] === "true") throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
  return true;
}

if (!postgresIsMissing() && !opensslIsMissing())
  describe("TLS to PostgreSQL", () => {
    setDefaultTimeout(600_000);
    let folder: string;
    let postgres: PostgresServer;
    /** Its certificate is for `localhost`, and the server goes by an address too. */
    let url: string;
    beforeAll(async () => {
      folder = await newFolder("tls");
      const openssl = (options: string) => run(["openssl", ...options.split(" ")], { cwd: folder });
      for (const name of ["ours", "other"]) await openssl(`${request(name)} -x509 -days 2 -out ${name}.pem`);
      await Bun.write(join(folder, "names"), "subjectAltName=DNS:localhost");
      for (const name of ["server", "client"]) {
        await openssl(`${request(name)} -out ${name}.csr`);
        const sign = `x509 -req -in ${name}.csr -CA ours.pem -CAkey ours.key -CAcreateserial`;
        await openssl(`${sign} -days 2 -extfile names -out ${name}.pem`);
      }
      const { user } = await postgresBinaries();
      const key = join(folder, "server.key");
      await chmod(key, 0o600);
      await chmod(folder, 0o755);
      if (user !== undefined) await chown(key, user.uid, user.gid);
      postgres = await startPostgres({
        settings: {
          ssl: "on",
          ssl_cert_file: join(folder, "server.pem"),
          ssl_key_file: key,
          ssl_ca_file: join(folder, "ours.pem"),
        },
      });
      url = await postgres.createDatabase();
    });
    afterAll(async () => {
      await postgres[Symbol.asyncDispose]();
      await removeFolder(folder);
    });

    const open = async (host: "localhost" | "127.0.0.1", query: string): Promise<string> => {
      const at = new URL(url);
      at.hostname = host;
      at.search = query.replaceAll(/=(\w+)\.(pem|key)/g, (_, name, type) => `=${join(folder, `${name}.${type}`)}`);
      try {
        await using catalog = await openPostgresCatalog({ url: at.href, poolSize: 1, as: "server" });
        await catalog.log();
        return "open";
      } catch (error) {
        const { cause = error } = error as { cause?: unknown };
        return (cause as { code?: string }).code ?? String(error);
      }
    };

    test.each([
      ["127.0.0.1", "sslmode=require"],
      ["127.0.0.1", "sslmode=require&sslrootcert=ours.pem"],
      ["127.0.0.1", "sslmode=verify-ca&sslrootcert=ours.pem"],
      ["localhost", "sslmode=verify-full&sslrootcert=ours.pem"],
      ["localhost", "sslmode=verify-full&sslrootcert=ours.pem&sslcert=client.pem&sslkey=client.key"],
    ] as const)("accepts %s with %s", async (host, query) => {
      expect(await open(host, query)).toBe("open");
    });

    test.each([
      ["127.0.0.1", "sslmode=require&sslrootcert=other.pem", "SELF_SIGNED_CERT_IN_CHAIN"],
      ["127.0.0.1", "sslmode=verify-ca&sslrootcert=other.pem", "SELF_SIGNED_CERT_IN_CHAIN"],
      ["127.0.0.1", "sslmode=verify-full&sslrootcert=ours.pem", "ERR_TLS_CERT_ALTNAME_INVALID"],
      ["localhost", "sslmode=verify-full&sslrootcert=other.pem", "SELF_SIGNED_CERT_IN_CHAIN"],
      ["localhost", "sslmode=verify-full", "SELF_SIGNED_CERT_IN_CHAIN"],
    ] as const)("refuses %s with %s", async (host, query, code) => {
      expect(await open(host, query)).toBe(code);
    });
  });
