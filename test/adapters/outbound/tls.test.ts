import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { newFolder, removeFolder } from "../../temporary-folder.ts";

let folder: string;
beforeAll(async () => {
  folder = await newFolder("outbound-tls");
});
afterAll(() => removeFolder(folder));

async function openssl(...options: string[]): Promise<void> {
  const child = Bun.spawn(["openssl", ...options], { cwd: folder, stdout: "ignore", stderr: "pipe" });
  if ((await child.exited) !== 0) throw new Error(await new Response(child.stderr).text());
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

async function makeCertificate(name: string, alternativeName: string): Promise<{ cert: string; key: string }> {
  await openssl("req", ...NEW_KEY, "-subj", "/CN=receiver", "-keyout", `${name}.key`, "-out", `${name}.csr`);
  await Bun.write(join(folder, `${name}.names`), `subjectAltName=${alternativeName}`);
  const authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
  await openssl("x509", "-req", "-in", `${name}.csr`, ...authority, "-extfile", `${name}.names`, "-out", `${name}.pem`);
  return { cert: await textOf(`${name}.pem`), key: await textOf(`${name}.key`) };
}

const textOf = (name: string) => Bun.file(join(folder, name)).text();

async function post(urls: readonly string[], env: Record<string, string>): Promise<(number | string)[]> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "post-to.ts"), ...urls], {
    env: { PATH: process.env["PATH"], ...env },
    stdout: "pipe",
  });
  return JSON.parse(await new Response(child.stdout).text()) as (number | string)[];
}

test.skipIf(Bun.which("openssl") === null)(
  "TLS verifies the name of the URL, though the connection goes to an address, and a proxy of the environment is not used",
  async () => {
    await openssl("req", "-x509", ...NEW_KEY, "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2");
    const hosts: (string | null)[] = [];
    const fetch = (request: Request) => {
      hosts.push(request.headers.get("host"));
      return new Response("ok");
    };
    const serve = async (name: string, alternativeName: string) =>
      Bun.serve({ port: 0, hostname: "127.0.0.1", tls: await makeCertificate(name, alternativeName), fetch });
    using named = await serve("named", "DNS:hooks.example.test");
    using numbered = await serve("numbered", "IP:127.0.0.1");
    let proxied = 0;
    using proxy = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => {
        proxied++;
        return new Response();
      },
    });
    const trusting = {
      NODE_EXTRA_CA_CERTS: join(folder, "ca.pem"),
      HTTP_PROXY: proxy.url.href,
      HTTPS_PROXY: proxy.url.href,
      ALL_PROXY: proxy.url.href,
    };
    const [right, byAddress, other, address, again] = await post(
      [
        `https://hooks.example.test:${named.port}/`,
        `https://127.0.0.1:${numbered.port}/`,
        `https://other.example.test:${named.port}/`,
        `https://127.0.0.1:${named.port}/`,
        `https://hooks.example.test:${named.port}/`,
      ],
      trusting,
    );
    expect([right, byAddress, again]).toEqual([200, 200, 200]);
    for (const refused of [other, address]) expect(refused).toStartWith("certificate_refused: ");
    expect(hosts).toEqual([
      `hooks.example.test:${named.port}`,
      `127.0.0.1:${numbered.port}`,
      `hooks.example.test:${named.port}`,
    ]);
    expect(proxied).toBe(0);
    const [untrusted] = await post([`https://hooks.example.test:${named.port}/`], {});
    expect(untrusted).toStartWith("certificate_refused: ");
    expect(untrusted).not.toContain("127.0.0.1");
  },
);
