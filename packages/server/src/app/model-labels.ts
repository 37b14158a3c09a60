import { dirname, join } from "node:path";
import { ServeError } from "../base/errors.ts";
import type { Signature } from "../base/signature.ts";
import { readLabels } from "../config/labels-file.ts";
import type { ModelConfig } from "../config/model-options.ts";
import type { ModelCandidate } from "../models/model-candidate.ts";

type Labels = ReadonlyMap<string, readonly string[]>;

/**
 * The names of a model's classes by output, from the files that its settings name, and under "" those of its labels.txt. Undefined without
 * any. Throws `failed_precondition` for an output that the model does not have, and what reading a file throws.
 */
export function modelLabels(
  config: ModelConfig,
  candidate: ModelCandidate,
  { outputs }: Pick<Signature, "outputs">,
): Labels | undefined {
  const { root, labelsFile, configFile, foreignFile, file } = candidate;
  const labels = new Map<string, readonly string[]>();
  if (labelsFile !== undefined) labels.set("", readLabels(root, labelsFile));
  const folder = dirname(configFile ?? foreignFile ?? file);
  for (const [output, name] of Object.entries(config.labels ?? {})) {
    const spec = outputs.find((known) => known.name === output || known.aliases?.includes(output));
    if (spec === undefined) {
      throw refused(
        `'labels' names the output ${JSON.stringify(output.slice(0, 80))}; the model has ${outputs.map((known) => known.name).join(", ")}`,
      );
    }
    if (!/^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$/.test(name))
      throw refused(
        `'labels' expects the name of a file beside it, got ${JSON.stringify(name.slice(0, 80))}`,
      );
    labels.set(spec.name, readLabels(root, join(folder, name)));
  }
  return labels.size === 0 ? undefined : labels;
}

function refused(message: string): ServeError {
  return new ServeError("failed_precondition", message, { reason: "option_unsupported" });
}
