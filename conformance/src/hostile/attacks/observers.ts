import { type Attack, dial, exchange, statusesOf, type Target } from "../attack.ts";

/** Of each, this many connections come, ask, and leave at once. */
const OPENED = 10_000;
const AT_ONCE = 100;

const CHARTS = "GET /v2/live";
const ASKED = [
  CHARTS,
  "POST /v2/profile",
  "GET /v2/trace/setting",
  "GET /openapi.json",
  "GET /console",
] as const;

/** Who looks on costs more than others: asking again and again, and never staying for the answer. */
export const observers: readonly Attack[] = [
  ...ASKED.map(
    (line): Attack => ({
      group: "observers",
      name: `${OPENED} × ${line}, left at once`,
      holds: "nobody waits, and a later one is answered",
      async run(target) {
        let opened = 0;
        const lane = async (): Promise<void> => {
          while (opened < OPENED) {
            opened += 1;
            await askAndLeave(target, `${line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`);
          }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, lane));
        return await isAnswered(target, line);
      },
    }),
  ),
  {
    group: "observers",
    name: "500 who listen to the live figures and read nothing",
    holds: "16 may, the others are told so, and none is left behind",
    async run(target) {
      const request = `${CHARTS} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
      const heard = await Promise.all(
        Array.from({ length: 500 }, () =>
          exchange(target, [request], { isEnough: (text) => text.includes("\r\n\r\n"), withinMs: 60_000 }),
        ),
      );
      const strange = heard.flatMap(statusesOf).find((status) => ![200, 403, 429, 503].includes(status));
      return strange === undefined ? await isAnswered(target, CHARTS) : `answered with ${strange}`;
    },
  },
];

/** Resolves when the server has had what it needs to answer, whether or not it has. */
function askAndLeave(target: Target, request: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = dial(target);
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.on(target.entry === undefined ? "connect" : "secureConnect", () =>
      socket.write(request, () => socket.destroy()),
    );
  });
}

/** Those before it may need a moment to be missed. */
async function isAnswered(target: Target, line: string): Promise<string> {
  const request = `${line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`;
  const isEnough = (text: string): boolean => text.startsWith("HTTP/1.1 ") && text.includes("\r\n\r\n");
  for (let tries = 0; tries < 50; tries++) {
    const [status] = statusesOf(await exchange(target, [request], { isEnough }));
    if (status !== undefined && status !== 429 && status !== 503) return "";
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return "a later one is not answered";
}
