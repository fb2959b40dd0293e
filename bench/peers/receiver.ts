/** Prints its port; takes every request at once with 204, and says at /count how many it took. */
let taken = 0;
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    if (new URL(request.url).pathname === "/count") return Response.json(taken);
    await request.arrayBuffer();
    taken++;
    return new Response(null, { status: 204 });
  },
});
console.log(server.port);
