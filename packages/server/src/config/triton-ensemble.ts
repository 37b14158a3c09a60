import type { TextFields } from "./text-fields.ts";

const STEP_FIELDS = ["model_name", "model_version", "input_map", "output_map", "model_namespace"];

/**
 * The steps of an ensemble as `pipeline` of a model.yaml has them. Throws `invalid_argument`/`bad_config_file` for what Triton would not read either.
 */
export function readEnsemble(config: TextFields): Readonly<Record<string, unknown>> {
  const scheduling = config.message("ensemble_scheduling")!;
  scheduling.only(["step"], "ensemble_scheduling");
  const names = (field: "input" | "output"): string[] =>
    config.messages(field).flatMap((port) => port.text("name") ?? []);
  const [inputs, outputs] = [names("input"), names("output")];
  return {
    steps: scheduling.messages("step").map(readStep),
    ...(inputs.length > 0 && { inputs }),
    ...(outputs.length > 0 && { outputs }),
  };
}

function readStep(step: TextFields): Readonly<Record<string, unknown>> {
  step.only(STEP_FIELDS, "step");
  const version = step.number("model_version") ?? -1;
  return {
    model: step.text("model_name") ?? "",
    ...(version > 0 && { version }),
    inputs: mapOf(step, "input_map"),
    outputs: mapOf(step, "output_map"),
  };
}

/** From the model's words to the ensemble's. */
function mapOf(step: TextFields, field: "input_map" | "output_map"): Readonly<Record<string, string>> {
  return Object.fromEntries(
    step.messages(field).map((entry) => [entry.text("key") ?? "", entry.text("value") ?? ""]),
  );
}
