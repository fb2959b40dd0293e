/**
 * The least that a sync by HTTP can cost: for each file its bytes, their digest and a PUT, so many at once. Nothing is asked
 * of the store before, looked at twice, or kept for a later run.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";

const [url = "", album = "", folder = "", inFlight = ""] = process.argv.slice(2);
const names = (await readdir(folder)).values();
let sent = 0;
await Promise.all(Array.from({ length: Number(inFlight) }, sendUntilEnd));
if (sent === 0) throw new Error("The folder has no files.");

async function sendUntilEnd(): Promise<void> {
  for (const name of names) {
    const body = await Bun.file(join(folder, name)).bytes();
    new Bun.CryptoHasher("sha256").update(body).digest("hex");
    const path = `/v1/albums/${album}/images/${encodeURIComponent(name)}/content`;
    const response = await fetch(url + path, { method: "PUT", body });
    if (response.status !== 201) throw new Error(`${name}: ${response.status}`);
    await response.json();
    sent += 1;
  }
}
