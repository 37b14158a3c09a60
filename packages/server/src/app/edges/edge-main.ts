// The program of an edge process.
import type { Socket } from "node:net";
import { outliveSignals } from "../../worker/outlive-signals.ts";
import { createTeller } from "./bounded-teller.ts";
import { type Edge, startEdge } from "./edge.ts";
import type { ToEdge } from "./edge-messages.ts";

outliveSignals();

const tell = createTeller((message, done) => {
  if (process.connected) process.send?.(message, undefined, undefined, done);
});

let edge: Promise<Edge> | undefined;

process.on("message", (message: ToEdge, socket?: Socket) => {
  if (message.kind === "start") edge = startEdge(message, tell);
  else void edge?.then((started) => started.hear(message, socket));
});
// It must not outlive the server process.
process.once("disconnect", () => process.exit(0));
