import { type ConnectOpts, Socket, type SocketConstructorOpts } from "node:net";
import { isMainThread, parentPort } from "node:worker_threads";
import { DEFAULT_FRAME_LIMITS, type Frame } from "./frame.ts";
import { FrameReader } from "./frame-reader.ts";
import { type OutgoingFrame, writeFrame } from "./frame-writer.ts";
import { outliveSignals } from "./outlive-signals.ts";
import { fromThreadMessage, type ThreadMessage, toThreadMessage } from "./thread-message.ts";

/** The worker's end of its connection to the server process. */
export interface Endpoint {
  send(frame: OutgoingFrame): void;
}

export interface EndpointHandlers {
  onFrame(frame: Frame): void;
  /** The server process is gone, or wants the worker to end. */
  onClose(): void;
}

/** File descriptor of the socket pair, fixed by the order of `stdio` where the process is spawned. */
const SOCKET_FD = 3;

/** Opens the connection that this worker was started with: a message port in a thread, file descriptor 3 in a process. */
export function openEndpoint(handlers: EndpointHandlers): Endpoint {
  if (!isMainThread) return openPort(handlers);
  outliveSignals();
  return openSocket(handlers);
}

function openSocket(handlers: EndpointHandlers): Endpoint {
  const reader = new FrameReader(DEFAULT_FRAME_LIMITS, handlers.onFrame);
  const options: SocketConstructorOpts & Pick<ConnectOpts, "onread"> = {
    fd: SOCKET_FD,
    readable: true,
    writable: true,
    allowHalfOpen: true,
    // Received bytes land where their frame stays. (The constructor takes `onread` like `connect` does; the types do not know.)
    onread: {
      buffer: () => reader.space(),
      callback: (count) => {
        reader.advance(count);
        return true;
      },
    },
  };
  const socket = new Socket(options);
  socket.on("end", handlers.onClose);
  socket.on("close", handlers.onClose);
  // A reset means that the server process is gone; "close" follows.
  socket.on("error", () => {});
  return { send: (frame) => writeFrame(socket, frame) };
}

function openPort(handlers: EndpointHandlers): Endpoint {
  const port = parentPort;
  if (port === null) throw new Error("a worker needs a server process");
  port.on("message", (message: ThreadMessage) => handlers.onFrame(fromThreadMessage(message)));
  port.on("close", handlers.onClose);
  return {
    send(frame) {
      const message = toThreadMessage(frame);
      port.postMessage(message, [message.payload]);
    },
  };
}
