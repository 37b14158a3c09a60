import { oneLine } from "../../base/printable.ts";
import { rejectPasswordInFlags } from "../../config/cache-store-address.ts";
import { resolveOptions } from "../../config/resolve-options.ts";
import { isStoreAddress } from "../../stores/store-address.ts";
import type { Command } from "../command.ts";
import { usageError } from "../usage-error.ts";
import { type Diagnosis, examine } from "./examine.ts";
import { examineStores, STORE_OPTIONS } from "./examine-stores.ts";

const DOCTOR_OPTIONS = {
  python: {
    kind: "text",
    default: null,
    doc: "The interpreter to look at, as sconce serve takes it. Default: python3.",
  },
  json: { kind: "flag", default: false, doc: "Print everything as JSON." },
} as const;

export const doctorCommand: Command = {
  name: "doctor",
  usage: "[ADDRESS…]",
  summary:
    "Shows what this machine has for a server: cores, memory, ONNX Runtime, PyTorch, and a sandbox for workers; and whether it can use stores of models at addresses, and the cache store.",
  tables: [DOCTOR_OPTIONS, STORE_OPTIONS],
  async run(args, terminal) {
    const { python, json } = resolveOptions(DOCTOR_OPTIONS, { flags: args.flags });
    const stray = args.positionals.find((text) => !isStoreAddress(text));
    if (stray !== undefined)
      throw usageError(`expected addresses of stores, such as s3://BUCKET/PREFIX, or nothing; got ${stray}`);
    rejectPasswordInFlags(args.flags);
    const options = resolveOptions(STORE_OPTIONS, { flags: args.flags, env: terminal.env });
    terminal.progress?.("looking at this machine");
    const stores = await examineStores(args.positionals, options);
    const diagnoses = [...(await examine({ env: terminal.env, python })), ...stores];
    terminal.stdout.write(json ? `${JSON.stringify(diagnoses, null, 2)}\n` : diagnosesText(diagnoses));
    return 0;
  },
};

function diagnosesText(diagnoses: readonly Diagnosis[]): string {
  const width = Math.max(...diagnoses.map(({ what }) => what.length));
  return diagnoses
    .map(({ what, found, lacks }) => {
      const line = `${what.padEnd(width)}  ${oneLine(found)}\n`;
      return lacks === undefined ? line : `${line}${" ".repeat(width + 2)}! ${oneLine(lacks)}\n`;
    })
    .join("");
}
