import { type Attack, exchange, statusesOf, type Target, withoutBase64 } from "../attack.ts";
import { framed } from "../doors.ts";
import { grpcCall } from "../http2-frames.ts";

const PATH = "/inference.GRPCInferenceService/ModelInfer";
const STREAM_PATH = "/inference.GRPCInferenceService/ModelStreamInfer";
const LANES = 16;
/** Statuses of gRPC that blame the client, or say that there is no room: never internal or unknown, and never OK. */
const HONEST: ReadonlySet<string> = new Set(["3", "4", "5", "7", "8", "12", "14", "16"]);
const HONEST_WORDS =
  /"code":"(invalid_argument|deadline_exceeded|not_found|resource_exhausted|unimplemented|unavailable|unauthenticated)"/;

/** Name, path, content type, and a good request to the model. */
type Clothes = readonly [name: string, path: string, type: string, body: (target: Target) => Buffer];

const CLOTHES: readonly Clothes[] = [
  ["gRPC-Web", PATH, "application/grpc-web+proto", (target) => framed(message(target))],
  [
    "gRPC-Web in text",
    PATH,
    "application/grpc-web-text+proto",
    (target) => Buffer.from(framed(message(target)).toString("base64")),
  ],
  ["Connect", PATH, "application/proto", message],
  ["Connect in JSON", PATH, "application/json", json],
  ["a Connect stream", STREAM_PATH, "application/connect+proto", (target) => framed(message(target))],
];

/** Good requests, cut behind each of their bytes: as if that were all, and by clients that leave in the middle. */
export const cutBodies: readonly Attack[] = [
  ...CLOTHES.flatMap((clothes): Attack[] => [
    attack(`${clothes[0]}, said to be whole`, (target) => eachCut(target, clothes, true)),
    attack(`${clothes[0]}, left in the middle`, (target) => eachCut(target, clothes, false)),
  ]),
  attack("gRPC", async (target) => {
    const whole = message(target);
    const problems = await inLanes(whole.length, async (bytes) => {
      const status = await grpcCall(target, { message: whole.subarray(0, bytes), announced: whole.length });
      return /^\d+$/.test(status) && !HONEST.has(status) ? `${bytes} bytes: grpc-status ${status}` : "";
    });
    const answer = await grpcCall(target, { message: whole });
    return [...problems, ...(answer === "0" || answer === "16" ? [] : [`whole: ${answer}`])].join("; ");
  }),
];

function attack(name: string, run: Attack["run"]): Attack {
  return {
    group: "cut bodies",
    name,
    holds: "at every byte an error that is honest about whose fault it is, and no answer",
    run,
  };
}

async function eachCut(target: Target, [, path, type, body]: Clothes, isSaidWhole: boolean): Promise<string> {
  const whole = body(target);
  const ask = async (bytes: number): Promise<string> => {
    const length = isSaidWhole ? bytes : whole.length;
    const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nConnect-Protocol-Version: 1\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`;
    const parts = [Buffer.concat([Buffer.from(head, "latin1"), whole.subarray(0, bytes)])];
    // Who leaves hears nothing: what matters is what becomes of the server.
    const heard = await exchange(target, parts, isSaidWhole ? {} : { withinMs: 40 });
    return isSaidWhole ? judge(statusesOf(heard), withoutBase64(heard.text)) : "";
  };
  const problems = await inLanes(whole.length, async (bytes) => {
    const problem = await ask(bytes);
    return problem === "" ? "" : `${bytes} bytes: ${problem}`;
  });
  return problems.slice(0, 3).join("; ");
}

async function inLanes(count: number, ask: (bytes: number) => Promise<string>): Promise<string[]> {
  const problems: string[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let bytes = next++; bytes < count; bytes = next++) {
      const problem = await ask(bytes);
      if (problem !== "") problems.push(problem);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return problems;
}

function judge([status, ...more]: readonly number[], words: string): string {
  if (status === undefined) return "no answer";
  if (more.length > 0) return `answered with ${status}, ${more.join(", ")}`;
  if (status !== 200)
    return (status >= 400 && status < 500) || status === 503 ? "" : `answered with ${status}`;
  const codes = [...words.matchAll(/grpc-status: ?(\d+)/gi)].map(([, code]) => code!);
  // A stream without a message is one without an answer.
  const isEmpty = /\{("metadata":\{\})?\}/.test(words);
  if (codes.some((code) => HONEST.has(code)) || HONEST_WORDS.test(words) || isEmpty) return "";
  return `answered with ${JSON.stringify(words.slice(-120))}`;
}

const VALUES = 64;

/** A ModelInferRequest with the image that the model takes. */
function message({ model }: Target): Buffer {
  const input = Buffer.concat([
    field(1, Buffer.from("image")),
    field(2, Buffer.from("FP32")),
    field(3, Buffer.from([1, 1, 8, 8])),
  ]);
  const raw = Buffer.from(new Float32Array(VALUES).fill(0.5).buffer);
  return Buffer.concat([field(1, Buffer.from(model)), field(5, input), field(7, raw)]);
}

function json({ model }: Target): Buffer {
  const contents = { fp32Contents: new Array<number>(VALUES).fill(0.5) };
  const input = { name: "image", datatype: "FP32", shape: ["1", "1", "8", "8"], contents };
  return Buffer.from(JSON.stringify({ modelName: model, inputs: [input] }));
}

/** A field of protobuf whose contents have a length below 2¹⁴. */
function field(number: number, contents: Buffer): Buffer {
  const { length } = contents;
  const size = length < 128 ? [length] : [(length & 127) | 128, length >> 7];
  return Buffer.concat([Buffer.from([number * 8 + 2, ...size]), contents]);
}
