import { type CalledTensor, callText } from "../../base/call-text.ts";
import { ServeError } from "../../base/errors.ts";
import { shellWord } from "../../base/shell-text.ts";
import { exampleSize, type TensorSpec } from "../../base/signature.ts";
import { elementBytes } from "../../base/tensor.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import type { Arguments } from "../arguments.ts";
import { readModelPorts } from "../bench/model-ports.ts";
import type { Command, Terminal } from "../command.ts";
import { ACCESS_OPTIONS, KEY_VARIABLE, serverAccess } from "../server-access.ts";
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
    const access = options.as === "curl" ? curlAccess(args, terminal.env) : "";
    terminal.stdout.write(text.replace(/^curl -s /, () => `curl -s ${access}`));
    return 0;
  },
};

/** The same certificates and key for curl, each with a space behind it; the key itself shows in no line. */
function curlAccess({ flags }: Arguments, env: Terminal["env"]): string {
  const { ca, cert, key, apiKeyFile } = resolveOptions(ACCESS_OPTIONS, { flags });
  const files = Object.entries({ "--cacert": ca, "--cert": cert, "--key": key });
  const given = files.map(([option, path]) => (path === undefined ? "" : `${option} ${shellWord(path)} `));
  const secret =
    apiKeyFile === undefined ? env[KEY_VARIABLE] && `$${KEY_VARIABLE}` : `$(cat ${shellWord(apiKeyFile)})`;
  return `${given.join("")}${secret ? `-H "Authorization: Bearer ${secret}" ` : ""}`;
}

/** One row of zeros, or of empty texts. */
function zeros({ name, datatype, dims }: TensorSpec): CalledTensor {
  const bytes = datatype === "BYTES" ? 0 : elementBytes(datatype);
  return { name, datatype, shape: dims.map(exampleSize), data: undefined, elementBytes: bytes };
}
