import { connect } from "node:net";
import type { Attack } from "../attack.ts";

const DEBUGGER_PORT = 9229;
/** Those that a server outlives. The ones that end it are tested where it may end. */
const HARMLESS: readonly NodeJS.Signals[] = [
  "SIGUSR1",
  "SIGUSR2",
  "SIGPIPE",
  "SIGWINCH",
  "SIGCHLD",
  "SIGURG",
  "SIGCONT",
];

export const signals: readonly Attack[] = HARMLESS.map((signal) => ({
  group: "signals",
  name: signal,
  holds: "the server goes on, and no debugger listens",
  async run({ pid }) {
    if (pid === undefined) return "";
    const wasOpen = await isOpen(DEBUGGER_PORT);
    process.kill(pid, signal);
    await new Promise((resolve) => setTimeout(resolve, 100));
    return !wasOpen && (await isOpen(DEBUGGER_PORT)) ? "a debugger listens" : "";
  },
}));

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
