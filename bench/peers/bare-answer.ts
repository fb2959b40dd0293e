/** The cheapest answer with these headers and this status on this runtime: the bytes of one file for every request. Prints its port. */
import { file, serve } from "bun";

const [path = "", headersJson = "{}", status = "200"] = process.argv.slice(2);
const answer = { headers: JSON.parse(headersJson) as Record<string, string>, status: Number(status) };
const body = answer.status === 304 ? null : new Blob([await file(path).bytes()]);
const server = serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(body, answer) });
console.log(server.port);
