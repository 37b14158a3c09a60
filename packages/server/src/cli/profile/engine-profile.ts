import { readFileSync, statSync } from "node:fs";
import { decodeModel, type OnnxGraph } from "@sconce/torch";
import { openFileSource } from "@sconce/torch/node";
import { ServeError } from "../../base/errors.ts";
import type { ProfiledSession, ProfileFiles } from "../../runtime/onnx/profile-files.ts";
import { type EngineRuns, readEngineRuns } from "./engine-events.ts";
import { GraphPlaces } from "./graph-places.ts";
import { onnxPlaces } from "./onnx-places.ts";
import type { RunProfile } from "./profile-sample.ts";

const MOST_BYTES = 400 * 1024 * 1024;

/** What ONNX Runtime spent its last runs on, in the terms of the model. `file`: the model's. Throws ServeError. */
export function engineProfile(
  { places, modelFile, sessions }: ProfileFiles,
  { file, runs }: { readonly file: string; readonly runs: number },
): RunProfile {
  const { session, found } = served(sessions, runs);
  const before = graphOf(modelFile ?? file);
  const after = graphOf(session.graphFile);
  const graphs = new GraphPlaces({ before, after, places: places ?? onnxPlaces(before) });
  return {
    runMs: found.runMs,
    samples: found.nodes.map((node) => ({
      place: graphs.placeOf(node),
      along: graphs.alongOf(node),
      kernel: node.operator,
      ms: node.ms,
      calls: node.calls,
    })),
  };
}

/** The session that did the runs: with one thread where more do not help. */
function served(
  sessions: readonly ProfiledSession[],
  runs: number,
): { readonly session: ProfiledSession; readonly found: EngineRuns } {
  let best: { session: ProfiledSession; found: EngineRuns } | undefined;
  for (const session of sessions) {
    if (statSync(session.eventsFile).size > MOST_BYTES) {
      throw new ServeError("resource_exhausted", "the profile is too large to read: ask for fewer --runs");
    }
    const found = readEngineRuns(readFileSync(session.eventsFile, "utf8"), runs);
    if (best === undefined || found.runs >= best.found.runs) best = { session, found };
  }
  if (best === undefined || best.found.runs === 0)
    throw new ServeError("internal", "ONNX Runtime wrote no profile");
  return best;
}

function graphOf(file: string): OnnxGraph {
  const source = openFileSource(file);
  try {
    return decodeModel(source, { keepsNames: true }).graph;
  } finally {
    source.close();
  }
}
