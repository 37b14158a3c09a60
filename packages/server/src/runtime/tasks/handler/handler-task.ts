import type { NamedTensor } from "../../../base/tensor.ts";
import { bad } from "../read-request.ts";
import { isObject } from "../side-files.ts";
import type { TaskContext, TaskInput, TaskProcessor } from "../task-processor.ts";
import type {
  HandlerContext,
  HandlerFile,
  HandlerInput,
  HandlerModel,
  HandlerTensor,
} from "./define-handler.ts";
import { guarded } from "./guarded.ts";
import { fromTensor, nestedOf, toTensor } from "./handler-tensors.ts";
import { loadHandler } from "./load-handler.ts";

/** What a model's own code does with requests and outputs. */
export async function makeHandlerTask(context: TaskContext): Promise<TaskProcessor> {
  const { preprocess, postprocess } = await loadHandler(context.files, context.handler ?? "");
  const inputsOf = (made: unknown): NamedTensor[] => {
    if (!isObject(made)) throw new Error("preprocess gave no object of inputs");
    const surplus = Object.keys(made).find((name) => !context.inputs.some((spec) => spec.name === name));
    if (surplus !== undefined)
      throw new Error(`the model has no input ${JSON.stringify(surplus.slice(0, 64))}`);
    return context.inputs.map((spec) => {
      const value = made[spec.name];
      if (value === undefined) throw new Error(`preprocess gave no ${JSON.stringify(spec.name)}`);
      return toTensor(spec, value as HandlerInput);
    });
  };
  return {
    takes: "values",
    parameters: "any",
    isOneInput: () => true,
    async prepare(input, parameters) {
      const own: HandlerContext = { parameters, state: undefined };
      const given = givenOf(input);
      if (preprocess === undefined) return { runs: [plainInputs(given, context)] };
      const made = await guarded("preprocess", async () => inputsOf(await preprocess(given, own)));
      return { runs: [made], state: own.state };
    },
    finish([outputs], { state, parameters }) {
      const named = Object.fromEntries(
        outputs!.map((output, i) => [context.outputs[i]?.name ?? output.name, fromTensor(output)]),
      ) as HandlerModel["outputs"];
      if (postprocess === undefined) return plainOutputs(named);
      return guarded("postprocess", async () => {
        const answer = await postprocess(named, { parameters, state });
        // What JSON does not know is found out here, where it has a name.
        return JSON.parse(JSON.stringify(answer ?? null)) as unknown;
      });
    },
  };
}

function givenOf(input: TaskInput): unknown {
  if (input.kind === "text") return input.text;
  if (input.kind === "value") return input.value;
  return { type: input.type ?? "", bytes: input.bytes } satisfies HandlerFile;
}

/** Without a preprocess, inputs come as nested lists. Throws `invalid_argument`. */
function plainInputs(given: unknown, { inputs }: TaskContext): NamedTensor[] {
  const [only] = inputs;
  const named = isObject(given) || inputs.length !== 1 ? given : { [only!.name]: given };
  return inputs.map((spec) => {
    const value = isObject(named) ? named[spec.name] : undefined;
    if (value === undefined) throw bad("input", `expected an object with ${JSON.stringify(spec.name)}`);
    try {
      return toTensor(spec, value as HandlerInput);
    } catch (cause) {
      throw bad(`input.${spec.name}`, (cause as Error).message);
    }
  });
}

function plainOutputs(outputs: HandlerModel["outputs"]): unknown {
  const nested = Object.entries<HandlerTensor>(outputs).map(
    ([name, tensor]) => [name, nestedOf(tensor)] as const,
  );
  return nested.length === 1 ? nested[0]![1] : Object.fromEntries(nested);
}
