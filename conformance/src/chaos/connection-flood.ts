import { connect, type Socket } from "node:net";

/** Connections that are opened and held, and opened again where the server closes them. */
export interface ConnectionFlood {
  /** Connections that the server holds now. */
  held(): number;
  /** Connections that were closed or reset so far. */
  refused(): number;
  end(): void;
}

const REOPEN_MS = 20;
/** Enough to be taken for HTTP, too little for a request. */
const BEGINNING = "GET /v2/health/live HTTP/1.1\r\n";

export function startFlood(url: string, count: number): ConnectionFlood {
  const { hostname, port } = new URL(url);
  const open = new Set<Socket>();
  let refused = 0;
  let isOver = false;
  const openOne = (): void => {
    if (isOver) return;
    const socket = connect({ host: hostname, port: Number(port) });
    open.add(socket);
    socket.on("error", () => {});
    socket.write(BEGINNING);
    socket.resume();
    socket.once("close", () => {
      open.delete(socket);
      refused += 1;
      setTimeout(openOne, REOPEN_MS);
    });
  };
  for (let i = 0; i < count; i++) openOne();
  return {
    held: () => open.size,
    refused: () => refused,
    end() {
      isOver = true;
      for (const socket of open) socket.destroy();
    },
  };
}
