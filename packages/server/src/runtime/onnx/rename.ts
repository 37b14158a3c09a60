import type { PortNaming, ProgramNames } from "@sconce/torch";
import { ServeError } from "../../base/errors.ts";
import { nearestWord } from "../../base/nearest-word.ts";

/** Longer names make poor messages, and no file has them. */
const MAX_NAME = 256;

/**
 * The inputs and outputs of a model as `rename` in its model.yaml calls them: from a name that the file has (or an alias of it) to
 * another one. The old names become aliases. Throws ServeError `failed_precondition` for a name that is not there, and for two inputs
 * (or outputs) of one name.
 */
export function renamedPorts(
  { inputs, outputs }: ProgramNames,
  rename: Readonly<Record<string, string>> | undefined,
): ProgramNames {
  if (rename === undefined) return { inputs, outputs };
  const changes = new Map(Object.entries(rename));
  const known = [...inputs, ...outputs];
  const unknown = [...changes.keys()].find((name) => !known.some((port) => isCalled(port, name)));
  if (unknown !== undefined) throw unknownName(unknown, known);
  for (const name of changes.values()) checkName(name);
  const names = new Set(known.map(({ name }) => name));
  const ownOf = (port: PortNaming): string[] => {
    // A name wins over an alias, which another port may have for a name.
    const words = [port.name, ...(port.aliases ?? []).filter((alias) => !names.has(alias))];
    return words.filter((word) => changes.has(word));
  };
  const renamed = (what: "inputs" | "outputs", ports: readonly PortNaming[]): PortNaming[] =>
    distinct(
      what,
      ports.map((port) => {
        const [first, second] = ownOf(port);
        if (second !== undefined)
          throw refused(`'rename' gives two names to one of the ${what}: to '${first}' and '${second}'`);
        const name = first === undefined ? port.name : changes.get(first)!;
        return { name, aliases: [port.name, ...(port.aliases ?? [])].filter((word) => word !== name) };
      }),
    );
  return { inputs: renamed("inputs", inputs), outputs: renamed("outputs", outputs) };
}

function isCalled({ name, aliases = [] }: PortNaming, word: string): boolean {
  return name === word || aliases.includes(word);
}

/** The same names, with the aliases that mean one port alone. */
function distinct(
  what: "inputs" | "outputs",
  ports: readonly (PortNaming & { readonly aliases: readonly string[] })[],
): PortNaming[] {
  const counts = new Map<string, number>();
  for (const { name, aliases } of ports)
    for (const word of [name, ...aliases]) counts.set(word, (counts.get(word) ?? 0) + 1);
  const twice = ports.find(({ name }, i) => ports.findIndex((other) => other.name === name) !== i);
  if (twice !== undefined) throw refused(`'rename' leaves two ${what} called '${shown(twice.name)}'`);
  return ports.map(({ name, aliases }) => {
    const own = aliases.filter((word) => counts.get(word) === 1);
    return own.length === 0 ? { name } : { name, aliases: own };
  });
}

function checkName(name: string): void {
  const isPlain = name !== "" && name.length <= MAX_NAME && !/\p{Cc}/u.test(name);
  if (!isPlain)
    throw refused(`'rename' asks for the name ${JSON.stringify(shown(name))}, which nobody can call`);
}

function unknownName(name: string, known: readonly PortNaming[]): ServeError {
  const names = known.map((port) => port.name);
  const near = nearestWord(shown(name), names);
  const hint = near === undefined ? `it has ${names.join(", ")}` : `did you mean '${near}'?`;
  return refused(`'rename' names '${shown(name)}', which the model has no input or output for: ${hint}`);
}

function shown(name: string): string {
  return name.slice(0, 80);
}

function refused(message: string): ServeError {
  return new ServeError("failed_precondition", message, { reason: "option_unsupported" });
}
