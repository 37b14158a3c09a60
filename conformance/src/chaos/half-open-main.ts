import { once } from "node:events";
import { connect, type Socket } from "node:net";

/**
 * Opens connections, brings each as far as its kind says, tells so with a line, and never says anything again. Arguments: the server's
 * host and port, then one kind per connection.
 */
const [host, port, ...kinds] = process.argv.slice(2);

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** Length, type, flags, stream. */
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

async function begin(socket: Socket, kind: string): Promise<void> {
  switch (kind) {
    case "silent":
      return;
    case "half-headers":
      socket.write("POST /v2/models/main/infer HTTP/1.1\r\nhost: s");
      return;
    case "half-body":
      socket.write(
        'POST /v2/models/main/infer HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5000\r\n\r\n{"inputs":',
      );
      return;
    case "idle":
      socket.write("GET /v2/health/live HTTP/1.1\r\nhost: localhost\r\n\r\n");
      await once(socket, "data");
      return;
    case "half-preface":
      socket.write(PREFACE.slice(0, 10));
      return;
    case "http2":
      socket.write(PREFACE);
      socket.write(SETTINGS);
      await once(socket, "data");
      return;
    default:
      throw new Error(`no such kind: ${kind}`);
  }
}

await Promise.all(
  kinds.map(async (kind) => {
    const socket = connect({ host: host!, port: Number(port), noDelay: true });
    socket.on("error", () => {});
    await once(socket, "connect");
    await begin(socket, kind);
  }),
);
process.stdout.write("open\n");
// Until it is killed.
setInterval(() => {}, 1 << 30);
