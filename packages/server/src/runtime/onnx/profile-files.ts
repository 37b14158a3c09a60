import { mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { devNull } from "node:os";
import { join } from "node:path";
import type { NodePlace } from "@sconce/torch";
import type { InferenceSession } from "onnxruntime-node";
import type { ProfileRequest } from "../runtime.ts";
import { writingGraph } from "./session-options.ts";

const PLACES_FILE = "places.json";
const MODEL_FILE = "model.onnx";
const SESSION_PREFIX = "session-";
const GRAPH_FILE = "graph.onnx";
const WEIGHTS_FILE = "weights";
const EVENTS_PREFIX = "events";

/** What a worker wrote of the runs that it was asked to profile. */
export interface ProfileFiles {
  /** Where the values of a translated model come from, by name; undefined: the model was ONNX already. */
  readonly places: ReadonlyMap<string, NodePlace> | undefined;
  /** The graph before ONNX Runtime optimised it; undefined: it is the model's own file. */
  readonly modelFile: string | undefined;
  readonly sessions: readonly ProfiledSession[];
}

/** Of one session of the engine: a model may have been opened again with fewer threads. */
export interface ProfiledSession {
  /** The graph as ONNX Runtime runs it. */
  readonly graphFile: string;
  /** Its events, as ONNX Runtime writes them. */
  readonly eventsFile: string;
}

/** Writes down where the values of a translation come from. */
export function writePlaces(
  { folder }: ProfileRequest,
  places: ReadonlyMap<string, NodePlace> | undefined,
): void {
  writeFileSync(join(folder, PLACES_FILE), JSON.stringify([...(places ?? [])]));
}

/** The same session, which notes what it runs. `model`: what it is opened from. */
export function profiling(
  options: InferenceSession.SessionOptions,
  { folder }: ProfileRequest,
  model: string | Uint8Array,
): InferenceSession.SessionOptions {
  const own = mkdtempSync(join(folder, SESSION_PREFIX));
  if (typeof model !== "string") writeFileSync(join(folder, MODEL_FILE), model);
  try {
    // The graph without its weights says enough.
    symlinkSync(devNull, join(own, WEIGHTS_FILE));
  } catch {
    // Where links are not allowed, the weights are written as well.
  }
  return {
    ...writingGraph(options, { graphFile: join(own, GRAPH_FILE), weightsName: WEIGHTS_FILE }),
    enableProfiling: true,
    profileFilePrefix: join(own, EVENTS_PREFIX),
  };
}

/** Finds what a worker wrote. */
export function readProfileFiles(folder: string): ProfileFiles {
  const names = readdirSync(folder);
  const sessions = names.filter((name) => name.startsWith(SESSION_PREFIX));
  return {
    places: names.includes(PLACES_FILE)
      ? new Map(JSON.parse(readFileSync(join(folder, PLACES_FILE), "utf8")) as [string, NodePlace][])
      : undefined,
    modelFile: names.includes(MODEL_FILE) ? join(folder, MODEL_FILE) : undefined,
    sessions: sessions.flatMap((session) => {
      const own = join(folder, session);
      const events = readdirSync(own).find((name) => name.startsWith(EVENTS_PREFIX));
      return events === undefined
        ? []
        : [{ graphFile: join(own, GRAPH_FILE), eventsFile: join(own, events) }];
    }),
  };
}
