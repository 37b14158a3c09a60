import { ServeError } from "../base/errors.ts";
import type { YamlFile } from "../config/yaml-file.ts";
import type { YamlReader } from "../config/yaml-reader.ts";
import { mapBounded } from "./bounded.ts";
import { PARALLEL_READS } from "./folder-listing.ts";
import type { ModelCandidate, ScanResult } from "./model-candidate.ts";

/** Adds to a scan what the models' own files say. */
export interface SettingsReader {
  /** Never rejects: what cannot be read is a problem of the models it belongs to. */
  addTo(scan: ScanResult): Promise<ScanResult>;
}

type Settings = Pick<ModelCandidate, "settings"> | Pick<ModelCandidate, "problem" | "unreadable">;

interface Known {
  /** Changes when the file does, and with any other file of its model. */
  readonly fingerprint: string;
  readonly settings: Settings;
}

/** A reader that remembers: files of models that did not change are not read again. */
export function createSettingsReader(yaml: YamlReader): SettingsReader {
  let known: ReadonlyMap<string, Known> = new Map();
  return {
    async addTo(scan) {
      const byFile = new Map<string, ModelCandidate>();
      for (const candidate of scan.candidates)
        if (candidate.configFile !== undefined) byFile.set(candidate.configFile, candidate);
      const read = await mapBounded([...byFile], PARALLEL_READS, async ([path, { root, fingerprint }]) => {
        const before = known.get(path);
        if (before?.fingerprint === fingerprint) return [path, before] as const;
        return [path, { fingerprint, settings: await settle(yaml.read(root, path)) }] as const;
      });
      const seen = new Map(read);
      known = new Map(read.filter(([, { settings }]) => !("unreadable" in settings && settings.unreadable)));
      const candidates = scan.candidates.map((candidate) => withSettings(candidate, seen));
      return { ...scan, candidates };
    },
  };
}

function withSettings(candidate: ModelCandidate, seen: ReadonlyMap<string, Known>): ModelCandidate {
  if (candidate.configFile === undefined || candidate.problem !== undefined) return candidate;
  return { ...candidate, ...seen.get(candidate.configFile)?.settings };
}

async function settle(reading: Promise<YamlFile>): Promise<Settings> {
  try {
    return { settings: await reading };
  } catch (thrown) {
    const { code, message } = ServeError.from(thrown);
    return { problem: message, unreadable: code === "unavailable" };
  }
}
