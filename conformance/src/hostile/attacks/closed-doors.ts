import { type Attack, type Entry, exchange, statusesOf, type Target } from "../attack.ts";
import { type DoorKnocker, doorKnocker, type Reply } from "../door-knocker.ts";
import { type Door, doorsTo } from "../doors.ts";

/** As long as the name of the model that there is, so that frames are as long, too. */
const NOBODY = "nobody";

/** Name, what they send, whether a door is one that stays shut for them, and how the server says so. */
type Visitor = readonly [
  name: string,
  authorization: (entry: Entry) => string | undefined,
  isShut: (door: Door) => boolean,
  refusal: "unauthenticated" | "permission_denied",
];

const VISITORS: readonly Visitor[] = [
  ["without a key", () => undefined, () => true, "unauthenticated"],
  [
    "with a key that is almost right",
    ({ goodKey }) => `Bearer ${goodKey.slice(0, -1)}~`,
    () => true,
    "unauthenticated",
  ],
  ["with a password", () => "Basic YWRtaW46YWRtaW4=", () => true, "unauthenticated"],
  ["with a key for another model", ({ otherKey }) => `Bearer ${otherKey}`, () => true, "permission_denied"],
  [
    "with a key for inference",
    ({ goodKey }) => `Bearer ${goodKey}`,
    ({ needs }) => needs !== "infer",
    "permission_denied",
  ],
];

/** What a refusal looks like: HTTP's status, gRPC's, and Connect's name for it. */
const REFUSALS = {
  unauthenticated: { status: 401, grpcStatus: "16" },
  permission_denied: { status: 403, grpcStatus: "7" },
} as const;

const NOT_PERMITTED = "these credentials are not for a model of this name, if there is one";

/** Every way in, knocked at by everybody whom it must not let in: all are told the same, whether or not there is such a model. */
const throughDoors: readonly Attack[] = VISITORS.map(([name, authorization, isShut, refusal]) => ({
  group: "closed doors",
  name: `every way in, ${name}`,
  holds: `${refusal} everywhere, in the same words whether or not there is such a model`,
  async run(target) {
    if (target.entry === undefined) return "";
    const header = authorization(target.entry);
    const knocker = doorKnocker(target);
    try {
      const problems: string[] = [];
      for (const [known, unknown] of shutDoors(target, isShut)) {
        const problem = await compare({ knocker, header, known, unknown, name: target.model }, refusal);
        if (problem !== "") problems.push(`${known.name}: ${problem}`);
      }
      return problems.join("; ");
    } finally {
      knocker.close();
    }
  },
}));

const WEB_SOCKET: Attack = {
  group: "closed doors",
  name: "a WebSocket, with a key for another model",
  holds: "403, in the same words whether or not there is such a model",
  async run(target) {
    if (target.entry === undefined) return "";
    const [known, unknown] = await Promise.all(
      [target.model, NOBODY].map((name) => openSocket(target, name)),
    );
    const [status] = statusesOf(known!);
    if (status !== 403) return `answered with ${status ?? "nothing"}`;
    return bodyOf(known!.text) === bodyOf(unknown!.text) ? "" : "it tells whether there is a model";
  },
};

/** Every way in, for everybody whom it must not let in. */
export const closedDoors: readonly Attack[] = [...throughDoors, WEB_SOCKET];

function openSocket(target: Target, name: string): ReturnType<typeof exchange> {
  const own = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
  const key = `Authorization: Bearer ${target.entry!.otherKey}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`;
  return exchange(target, [`GET /v2/models/${name}/stream HTTP/1.1\r\nhost: localhost\r\n${own}${key}\r\n`]);
}

function bodyOf(text: string): string {
  return text.slice(text.indexOf("\r\n\r\n"));
}

function shutDoors(target: Target, isShut: (door: Door) => boolean): (readonly [Door, Door])[] {
  const unknown = doorsTo(NOBODY, target);
  return doorsTo(target.model, target)
    .map((door, i) => [door, unknown[i]!] as const)
    .filter(([door]) => isShut(door));
}

interface Comparison {
  readonly knocker: DoorKnocker;
  readonly header: string | undefined;
  readonly known: Door;
  readonly unknown: Door;
  readonly name: string;
}

async function compare(
  { knocker, header, known, unknown, name }: Comparison,
  refusal: keyof typeof REFUSALS,
): Promise<string> {
  const [one, other] = [await knocker.knock(known, header), await knocker.knock(unknown, header)];
  if (one.words.replaceAll(name, NOBODY) !== other.words)
    return `it tells whether there is a model: ${one.words.slice(0, 200)} | ${other.words.slice(0, 200)}`;
  return isRefused(one, refusal) ? "" : `answered with ${one.words.slice(0, 200)}`;
}

function isRefused({ status, grpcStatus, words }: Reply, refusal: keyof typeof REFUSALS): boolean {
  const expected = REFUSALS[refusal];
  // A stream of inferences goes on after one that is refused.
  if (refusal === "permission_denied" && words.includes(NOT_PERMITTED)) return true;
  if (grpcStatus !== undefined) return grpcStatus === expected.grpcStatus;
  // A stream of Connect tells in its last message what became of it.
  return status === expected.status || (status === 200 && words.includes(`"code":"${refusal}"`));
}
