import type { ClientHttp2Session } from "node:http2";
import { encodeModel } from "@sconce/torch";
import { connectStreams, InferStream } from "../infer-stream.ts";
import { monotonicMs, sleep } from "../monotonic.ts";
import { atMost, exactly, type Finding, type Procedure, type Rig } from "../procedure.ts";
import { residentBytes, watchMemory } from "../process-facts.ts";

/** How much of it. */
interface Size {
  readonly streams: number;
  readonly messages: number;
  readonly slowReaders: number;
  readonly sequences: number;
}

const FULL: Size = { streams: 1000, messages: 100, slowReaders: 10, sequences: 10_000 };
const SHORT: Size = { streams: 60, messages: 20, slowReaders: 2, sequences: 500 };
/** Messages of a slow reader, all written at once; each is answered by 16 KiB. */
const SLOW_MESSAGES = 100;
const SLOW_PAUSE_MS = 20;
const SLOW_WIDTH = 4096;
/** Of the state whose memory is measured: 1 KiB. */
const KEPT_WIDTH = 256;
const STREAMS_PER_CONNECTION = 90;
const SEQUENCE_STREAMS = 8;
const SEQUENCE_STEPS = 3;
/** Of one stream, so that none of its requests waits for more than its turn. */
const IN_FLIGHT = 50;
const MIB = 1024 * 1024;

/** F24: streams and sequences by the thousand, each answer checked, beside clients that read slowly. */
export const streams: Procedure = {
  id: "F24",
  title: "a thousand streams, slow readers, ten thousand sequences",
  runtime: "onnx",
  prepare(folder) {
    for (const [name, width] of [
      ["sum", 1],
      ["broad", SLOW_WIDTH],
      ["kept", KEPT_WIDTH],
    ] as const) {
      folder.publishFiles(name, 1, { "model.onnx": sumModel(width) });
      folder.configure(name, { state: { h: "h_out" }, max_sequences: 20_000, max_queue_size: 20_000 });
    }
  },
  async run(rig) {
    const size = rig.effort.isShort ? SHORT : FULL;
    const { authority, pid } = { authority: new URL(rig.server.url).host, pid: rig.server.pid };
    await manyStreams(authority, { ...size, messages: 2 });
    // First, while this process has no memory from other work that it could use for them.
    const sequences = await manySequences(rig, authority, size.sequences);
    const calm = await manyStreams(authority, size);
    const memory = watchMemory(pid);
    const slow = slowReaders(authority, size.slowReaders);
    const beside = await manyStreams(authority, size);
    const grownBytes = memory.stop();
    const slowly = await slow;
    return [
      ...checked(`${size.streams} streams × ${size.messages} messages`, calm, size.streams * size.messages),
      ...checked(`the same beside ${size.slowReaders} slow readers`, beside, size.streams * size.messages),
      ...checked("slow readers", slowly, size.slowReaders * SLOW_MESSAGES),
      atMost("p99 beside slow readers over p99 without", beside.p99Ms / calm.p99Ms, { max: 2, kind: "pace" }),
      atMost("p99 of a message without slow readers", calm.p99Ms, { max: 1000, unit: " ms", kind: "pace" }),
      atMost("memory over before", grownBytes / MIB, { max: 128, unit: " MiB", kind: "pace" }),
      ...sequences,
    ];
  },
};

/** y = h_out = h + x. */
function sumModel(width: number): Uint8Array {
  const value = (name: string, columns: number) => ({
    name,
    dtype: "float32" as const,
    dims: ["batch", columns],
  });
  const node = (type: string, inputs: string[], outputs: string[]) => ({
    type,
    domain: "",
    inputs,
    outputs,
    attributes: {},
  });
  return encodeModel({
    opsets: new Map([["", 21]]),
    graph: {
      name: "main",
      inputs: [value("x", 1), value("h", width)],
      outputs: [value("y", width), value("h_out", width)],
      initializers: [],
      nodes: [node("Add", ["h", "x"], ["y"]), node("Identity", ["y"], ["h_out"])],
    },
  });
}

interface Tally {
  answers: number;
  wrong: number;
  errors: number;
  firstError: string;
  readonly latenciesMs: number[];
  readonly statuses: string[];
}

const newTally = (): Tally => ({
  answers: 0,
  wrong: 0,
  errors: 0,
  firstError: "",
  latenciesMs: [],
  statuses: [],
});

interface Told extends Omit<Tally, "latenciesMs"> {
  readonly p99Ms: number;
}

function told({ latenciesMs, ...tally }: Tally): Told {
  const sorted = latenciesMs.sort((a, b) => a - b);
  return { ...tally, p99Ms: sorted[Math.floor((sorted.length - 1) * 0.99)] ?? Number.NaN };
}

function checked(what: string, tally: Omit<Told, "p99Ms">, expected: number): Finding[] {
  return [
    exactly(`${what}: right answers`, tally.answers - tally.wrong, expected),
    exactly(`${what}: wrong answers`, tally.wrong, 0),
    exactly(`${what}: errors`, tally.errors === 0 ? "none" : `${tally.errors}, ${tally.firstError}`, "none"),
    exactly(
      `${what}: streams not ended with OK`,
      tally.statuses.filter((status) => status !== "0").length,
      0,
    ),
  ];
}

/** Each stream sends its next message when the one before is answered, and is a sequence of its own: the nth answer is n times its number. */
async function manyStreams(authority: string, size: Size): Promise<Told> {
  const tally = newTally();
  const sessions: ClientHttp2Session[] = [];
  const running = Array.from({ length: size.streams }, (_, i) => {
    if (i % STREAMS_PER_CONNECTION === 0) sessions.push(connectStreams(authority));
    return oneStream(sessions.at(-1)!, { x: i + 1, messages: size.messages, tally });
  });
  tally.statuses.push(...(await Promise.all(running)));
  for (const session of sessions) session.close();
  return told(tally);
}

function oneStream(
  session: ClientHttp2Session,
  { x, messages, tally }: { readonly x: number; readonly messages: number; readonly tally: Tally },
): Promise<string> {
  return new Promise((resolve) => {
    let sent = 0;
    let sentMs = 0;
    const next = (): void => {
      if (sent === messages) {
        resolve(stream.end());
        return;
      }
      sent++;
      sentMs = monotonicMs();
      stream.send({ model: "sum", x });
    };
    const stream = new InferStream(session, (answer) => {
      tally.latenciesMs.push(monotonicMs() - sentMs);
      count(tally, answer, sent * x);
      next();
    });
    next();
  });
}

function count(
  tally: Tally,
  answer: { readonly values?: Float32Array; readonly error?: string },
  expected: number,
): void {
  if (answer.values === undefined) {
    tally.errors++;
    tally.firstError ||= answer.error ?? "";
    return;
  }
  tally.answers++;
  if (!answer.values.every((value) => value === expected) || answer.values.length === 0) tally.wrong++;
}

/** They write all at once and read a little now and then. */
async function slowReaders(authority: string, readers: number): Promise<Told> {
  const tally = newTally();
  const session = connectStreams(authority);
  const reading = Array.from({ length: readers }, async (_, i) => {
    let got = 0;
    const stream = new InferStream(session, (answer) => {
      got++;
      count(tally, answer, got * (i + 1));
      stream.pause();
    });
    for (let n = 0; n < SLOW_MESSAGES; n++) stream.send({ model: "broad", x: i + 1 });
    const ended = stream.end();
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    while (!isOver) {
      await sleep(SLOW_PAUSE_MS);
      stream.resume();
    }
    return ended;
  });
  tally.statuses.push(...(await Promise.all(reading)));
  session.close();
  return told(tally);
}

/** All sequences live at once, their requests shuffled over a few streams; what they take is printed. */
async function manySequences(rig: Rig, authority: string, sequences: number): Promise<Finding[]> {
  const { pid, url } = rig.server;
  const session = connectStreams(authority);
  const tally = newTally();
  const beforeBytes = residentBytes(pid);
  let live = "";
  let stateBytes = 0;
  let grownBytes = 0;
  for (let step = 1; step <= SEQUENCE_STEPS; step++) {
    const order = shuffled(rig, sequences);
    const shares = Array.from({ length: SEQUENCE_STREAMS }, (_, i) =>
      order.filter((_, at) => at % SEQUENCE_STREAMS === i),
    );
    tally.statuses.push(...(await Promise.all(shares.map((ids) => stepOf(session, { ids, step, tally })))));
    if (step !== SEQUENCE_STEPS - 1) continue;
    live = await metric(url, "sconce_live_sequences");
    stateBytes = Number(await metric(url, "sconce_state_bytes"));
    grownBytes = residentBytes(pid) - beforeBytes;
  }
  session.close();
  return [
    ...checked(`${sequences} live sequences × ${SEQUENCE_STEPS} requests`, tally, sequences * SEQUENCE_STEPS),
    exactly("live sequences in between", live, String(sequences)),
    exactly("bytes of state of each", stateBytes / sequences, KEPT_WIDTH * 4),
    atMost("memory of each, state included", grownBytes / sequences, {
      max: 8192,
      unit: " bytes",
      kind: "pace",
    }),
    exactly("live sequences in the end", await metric(url, "sconce_live_sequences"), "0"),
  ];
}

function stepOf(
  session: ClientHttp2Session,
  { ids, step, tally }: { readonly ids: readonly number[]; readonly step: number; readonly tally: Tally },
): Promise<string> {
  return new Promise((resolve) => {
    let sent = 0;
    let answered = 0;
    const more = (): void => {
      while (sent < ids.length && sent - answered < IN_FLIGHT) {
        const id = ids[sent++]!;
        const sequence = { id: `s${id}`, start: step === 1, end: step === SEQUENCE_STEPS };
        stream.send({ model: "kept", x: id + 1, id: String(id), sequence });
      }
      if (answered === ids.length) resolve(stream.end());
    };
    const stream = new InferStream(session, (answer) => {
      answered++;
      count(tally, answer, step * (Number(answer.id) + 1));
      more();
    });
    more();
  });
}

function shuffled({ random }: Rig, count: number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(0, i);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

async function metric(url: string, name: string): Promise<string> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return new RegExp(`^${name}\\{[^}]*model="kept"[^}]*\\} (\\S+)$`, "m").exec(text)?.[1] ?? "none";
}
