/** A receiver on this machine that counts its connections, and answers each request with `respond`. */
export function startListener(respond: string | (() => string) = "HTTP/1.1 204 No Content\r\n\r\n", hostname = "::") {
  let connections = 0;
  const requests: string[] = [];
  const server = Bun.listen({
    hostname,
    port: 0,
    socket: {
      open() {
        connections++;
      },
      data(socket, chunk) {
        requests.push(chunk.toString());
        socket.write(typeof respond === "string" ? respond : respond());
      },
    },
  });
  return {
    port: server.port,
    requests,
    get connections() {
      return connections;
    },
    [Symbol.dispose]: () => server.stop(true),
  };
}
