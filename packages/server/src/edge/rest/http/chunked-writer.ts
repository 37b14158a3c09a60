import type { Socket } from "node:net";
import { Writable } from "node:stream";

/** Writes each piece as a chunk (RFC 9112 §7.1). `onEnded`: the system has taken the last one. */
export function chunkedWriter(socket: Socket, onEnded: () => void): Writable {
  const writer = new Writable({
    write(piece: Buffer, _, done) {
      if (piece.length === 0) return done();
      socket.cork();
      socket.write(`${piece.length.toString(16)}\r\n`, "latin1");
      socket.write(piece);
      socket.write("\r\n", "latin1", done);
      socket.uncork();
    },
    final(done) {
      socket.write("0\r\n\r\n", "latin1", (error) => {
        done(error);
        if (error == null) onEnded();
      });
    },
  });
  // That the client left is the socket's to tell.
  writer.on("error", ignore);
  return writer;
}

function ignore(): void {}
