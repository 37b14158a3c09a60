import { type CalledTensor, callText } from "../../base/call-text.ts";
import { ServeError } from "../../base/errors.ts";
import { exampleSize, type TensorSpec } from "../../base/signature.ts";
import { elementBytes } from "../../base/tensor.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import { readModelPorts } from "../bench/model-ports.ts";
import type { Command } from "../command.ts";
import { ACCESS_OPTIONS, serverAccess } from "../server-access.ts";
import { serverUrl } from "../server-url.ts";
import { usageError } from "../usage-error.ts";

const CURL_OPTIONS = {
  as: {
    kind: "choice",
    choices: ["curl", "python", "typescript", "grpcurl"],
    default: "curl",
    doc: "How the call is spelled.",
  },
  url: { kind: "text", default: "http://127.0.0.1:8080", doc: "The server that has the model." },
} as const;

export const curlCommand: Command = {
  name: "curl",
  usage: "MODEL",
  summary: "Prints a call of a model on a running server that works when it is pasted.",
  tables: [CURL_OPTIONS, ACCESS_OPTIONS],
  async run(args, terminal) {
    const options = resolveOptions(CURL_OPTIONS, { flags: args.flags });
    const [name, ...others] = args.positionals;
    if (name === undefined || others.length > 0) throw usageError("expected one MODEL: a name on the server");
    const origin = serverUrl(options.url);
    const { signature } = await readModelPorts({
      origin,
      model: name,
      version: undefined,
      access: serverAccess(args, terminal),
    });
    const text = callText(options.as, { origin, name, tensors: signature.inputs.map(zeros) });
    if (text === undefined) {
      throw new ServeError(
        "failed_precondition",
        `a call of ${name} is too long for ${options.as}; use --as python or typescript`,
      );
    }
    terminal.stdout.write(text);
    return 0;
  },
};

/** One row of zeros, or of empty texts. */
function zeros({ name, datatype, dims }: TensorSpec): CalledTensor {
  const bytes = datatype === "BYTES" ? 0 : elementBytes(datatype);
  return { name, datatype, shape: dims.map(exampleSize), data: undefined, elementBytes: bytes };
}
