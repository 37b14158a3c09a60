import { ServeError } from "../../base/errors.ts";
import { readYaml } from "../yaml-file.ts";

/** A metric that a metrics.yaml of TorchServe declares for handlers, who find it by its kind and name. */
export interface DeclaredMetric {
  readonly kind: "counter" | "gauge" | "histogram";
  readonly name: string;
  readonly unit: string;
  readonly dimensions: readonly string[];
}

const KINDS = ["counter", "gauge", "histogram"] as const;
/** They travel in the environment of workers. */
const MAX_CHARACTERS = 65_536;

/**
 * `model_metrics` of the file; what else it says is TorchServe's own. Without a file there are none. Throws `invalid_argument`/`bad_config_file`, or
 * `unavailable` with what the file system said.
 */
export function readDeclaredMetrics(path: string | undefined): readonly DeclaredMetric[] {
  if (path === undefined) return [];
  const { name, values } = readYaml(path);
  const fail = (why: string): never => {
    throw new ServeError("invalid_argument", `${name}: ${why}`, { reason: "bad_config_file" });
  };
  const declared: DeclaredMetric[] = [];
  const sections = values["model_metrics"] ?? {};
  if (typeof sections !== "object")
    fail("model_metrics must be a mapping of counter, gauge and histogram to lists");
  for (const [key, list] of Object.entries(sections)) {
    const kind = KINDS.find((known) => known === key);
    if (kind === undefined)
      return fail(`model_metrics has ${JSON.stringify(key.slice(0, 40))}; known are ${KINDS.join(", ")}`);
    if (!Array.isArray(list)) return fail(`model_metrics.${kind} must be a list of metrics`);
    for (const [index, one] of list.entries())
      declared.push(
        readMetric(one, kind) ??
          fail(`model_metrics.${kind}[${index}] must have a name, a unit and dimensions, a list of names`),
      );
  }
  if (JSON.stringify(declared).length > MAX_CHARACTERS)
    fail(`model_metrics has more than ${MAX_CHARACTERS} characters`);
  return declared;
}

function readMetric(one: unknown, kind: DeclaredMetric["kind"]): DeclaredMetric | undefined {
  if (typeof one !== "object" || one === null) return undefined;
  const { name, unit, dimensions = [] } = one as Readonly<Record<string, unknown>>;
  if (typeof name !== "string" || typeof unit !== "string" || !Array.isArray(dimensions)) return undefined;
  if (!dimensions.every((dimension) => typeof dimension === "string")) return undefined;
  return { kind, name, unit, dimensions };
}
