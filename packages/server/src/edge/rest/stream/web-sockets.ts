import type { Socket } from "node:net";
import { ServeError } from "../../../base/errors.ts";
import { modelOf } from "../call/asked-model.ts";
import type { Entrance } from "../call/entrance.ts";
import type { RestContext } from "../call/rest-context.ts";
import type { RouteParams } from "../call/route.ts";
import type { Upgrade, WebSocketDoor } from "./web-socket-door.ts";
import type { WebSocketLimits } from "./web-socket-limits.ts";

/** The WebSockets of a REST edge. What they need is loaded when the first one is asked for. */
export interface WebSockets {
  /** Owns the connection from now on: opens a WebSocket, or answers why not. */
  open(upgrade: Upgrade, params: RouteParams): void;
  /** Ends every connection once its requests are answered. */
  drain(): void;
  /** Open connections. */
  readonly size: number;
}

export interface WebSocketsOptions {
  readonly entrance: Entrance;
  reject(socket: Socket, error: ServeError): void;
}

export function createWebSockets(
  context: RestContext,
  limits: WebSocketLimits,
  { entrance, reject }: WebSocketsOptions,
): WebSockets {
  let loading: Promise<WebSocketDoor> | undefined;
  let door: WebSocketDoor | undefined;
  const load = async (): Promise<WebSocketDoor> => {
    const [{ WebSocketDoor }, { WebSocketServer }] = await Promise.all([
      import("./web-socket-door.ts"),
      import("ws"),
    ]);
    door = new WebSocketDoor(context, { limits, enter: entrance.enter, Server: WebSocketServer });
    return door;
  };
  const open = async (upgrade: Upgrade, params: RouteParams): Promise<void> => {
    const { socket } = upgrade;
    socket.on("error", ignore);
    try {
      loading ??= load();
      const opened = await loading;
      const own = await entrance.contextFor(upgrade.request.headers.authorization);
      await refuseUnknown(own, params);
      socket.off("error", ignore);
      if (!socket.destroyed) opened.open(upgrade, params, own);
    } catch (error) {
      socket.on("error", ignore);
      reject(socket, ServeError.from(error));
    }
  };
  return {
    open: (upgrade, params) => void open(upgrade, params),
    drain: () => door?.drain(),
    get size() {
      return door?.size ?? 0;
    },
  };
}

/** Throws for a model that there is not, where only another process knows that. */
async function refuseUnknown({ inference }: RestContext, params: RouteParams): Promise<void> {
  const rejection = await inference.door(...modelOf(params))?.rejectLater?.({ deadlineMs: undefined });
  // A queue that is full has room by the time of the first message, or says so to that.
  if (rejection?.code === "not_found") throw rejection;
}

function ignore(): void {}
