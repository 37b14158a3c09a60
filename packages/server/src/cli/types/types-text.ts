import { type Signature, type TensorSpec, wireShape } from "../../base/signature.ts";

/** A model, and what it takes and gives. */
export interface DescribedModel {
  readonly name: string;
  readonly version: string;
  readonly signature: Pick<Signature, "inputs" | "outputs">;
}

/** Declarations for `createClient<Models>()` of @sconce/client. Names of models and tensors may be any text. */
export function typesText(origin: string, models: readonly DescribedModel[]): string {
  const taken = new Set(["Models", "InputValue", "TypedTensor"]);
  const named = models.map((model) => ({ model, type: typeName(model.name, taken) }));
  const entries = named.map(({ model, type }) => `  readonly ${key(model.name)}: ${type};\n`);
  return [
    `// Written by \`sconce types ${origin}\`: what its models take and give.\n`,
    'import type { InputValue, TypedTensor } from "@sconce/client";\n\n',
    ...named.map(({ model, type }) => `${declaration(model, type)}\n`),
    `/** By name, for \`createClient<Models>()\`. */\nexport interface Models {\n${entries.join("")}}\n`,
  ].join("");
}

function declaration({ name, version, signature }: DescribedModel, type: string): string {
  const ports = (specs: readonly TensorSpec[], kind: string): string =>
    specs
      .map(
        (spec) =>
          `    /** ${spec.datatype} [${wireShape(spec).join(", ")}] */\n    readonly ${key(spec.name)}: ${kind}<"${spec.datatype}">;\n`,
      )
      .join("");
  return (
    `/** ${comment(name)}, version ${comment(version)}; -1 is any size. */\nexport interface ${type} {\n` +
    `  readonly inputs: {\n${ports(signature.inputs, "InputValue")}  };\n` +
    `  readonly outputs: {\n${ports(signature.outputs, "TypedTensor")}  };\n}\n`
  );
}

/** A property's name, in quotes where it is no identifier. */
function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

/** `resnet-50` → `Resnet50`, with a number behind it where two models come to the same. */
function typeName(name: string, taken: Set<string>): string {
  const words = name.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  const joined = words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join("");
  const base = /^[A-Za-z]/.test(joined) ? joined : `Model${joined}`;
  let unique = base;
  for (let n = 2; taken.has(unique); n++) unique = `${base}_${n}`;
  taken.add(unique);
  return unique;
}

function comment(text: string): string {
  return text.replaceAll("*/", "*\\/").replaceAll(/\s+/g, " ");
}
