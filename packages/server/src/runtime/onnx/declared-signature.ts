import type { DeclaredPort, DeclaredPorts } from "../../base/declared-ports.ts";
import { ServeError } from "../../base/errors.ts";
import type { Dim, Signature, TensorSpec, VariableDim } from "../../base/signature.ts";

type Ports = Pick<Signature, "inputs" | "outputs">;

/**
 * A signature narrowed to what another server's settings say: sizes that the file leaves open get the declared ones, and outputs that are
 * not declared are left out. Where the file gives rows no common name, they get one. Throws `failed_precondition`/`option_unsupported`
 * where file and settings contradict each other.
 */
export function declareSignature(
  { inputs, outputs }: Ports,
  declared: DeclaredPorts,
  { areRowsNamed = true }: { readonly areRowsNamed?: boolean } = {},
): Ports {
  const context = { source: declared.source, isBatched: declared.isBatched };
  const own = {
    inputs: narrow(inputs, declared.inputs, { ...context, kind: "input" }),
    outputs: narrow(outputs, declared.outputs, { ...context, kind: "output" }).filter((spec) =>
      isDeclared(spec, declared),
    ),
  };
  return declared.isBatched && !areRowsNamed ? withOneBatch(own) : own;
}

/** Whether answers may hold this output. */
export function isDeclared(
  { name, aliases = [] }: Pick<TensorSpec, "name" | "aliases">,
  { outputs }: DeclaredPorts,
): boolean {
  return outputs.length === 0 || outputs.some((port) => port.name === name || aliases.includes(port.name));
}

interface Context extends Pick<DeclaredPorts, "source" | "isBatched"> {
  readonly kind: "input" | "output";
}

function narrow(
  specs: readonly TensorSpec[],
  declared: readonly DeclaredPort[],
  context: Context,
): TensorSpec[] {
  const byName = new Map(declared.map((port) => [port.name, port]));
  const narrowed = specs.map((spec) => {
    const names = [spec.name, ...(spec.aliases ?? [])];
    const name = names.find((word) => byName.has(word));
    const port = name === undefined ? undefined : byName.get(name);
    if (name === undefined || port === undefined) return spec;
    byName.delete(name);
    return narrowedTo(spec, port, context);
  });
  const [unknown] = byName.keys();
  if (unknown === undefined) return narrowed;
  const known = specs.map(({ name }) => name).join(", ");
  throw contradiction(
    context,
    `names the ${context.kind} ${JSON.stringify(unknown.slice(0, 80))}, which the model does not have: it has ${known}`,
  );
}

function narrowedTo(spec: TensorSpec, port: DeclaredPort, context: Context): TensorSpec {
  const what = `${context.kind} ${JSON.stringify(port.name.slice(0, 80))}`;
  if (port.datatype !== spec.datatype)
    throw contradiction(context, `says ${port.datatype} of the ${what}, and the model has ${spec.datatype}`);
  const own = port.shape ?? port.dims;
  const sizes = context.isBatched ? [-1, ...own] : own;
  // An empty shape in a file may stand for one that it does not know.
  const isOpen = spec.isRankFree === true || (context.kind === "output" && spec.dims.length === 0);
  if (isOpen) {
    const dims = sizes.map((size, axis): Dim => (size === -1 ? free(`${spec.name}.${axis}`) : size));
    return withWire({ ...spec, dims, isRankFree: false }, port, context);
  }
  if (sizes.length !== spec.dims.length) {
    const batch = context.isBatched ? ", the batch in front" : "";
    throw contradiction(
      context,
      `says [${sizes.join(",")}] of the ${what}${batch}, and the model has ${spec.dims.length} dimensions: [${spec.dims.map(text).join(",")}]`,
    );
  }
  const dims = spec.dims.map((dim, axis): Dim => {
    const size = sizes[axis]!;
    if (axis === 0 && context.isBatched && typeof dim === "number") {
      throw contradiction(
        context,
        `has max_batch_size above 0, but the first dimension of the ${what} is ${dim} in the model: set max_batch_size to 0 and put ${dim} in front of dims`,
      );
    }
    if (size === -1) return dim;
    if (fits(dim, size)) return typeof dim === "number" ? dim : { ...dim, min: size, max: size };
    throw contradiction(
      context,
      `says ${size} of dimension ${axis} of the ${what}, and the model has ${text(dim)}`,
    );
  });
  return withWire({ ...spec, dims }, port, context);
}

function withWire(spec: TensorSpec, { dims, shape }: DeclaredPort, { isBatched }: Context): TensorSpec {
  if (shape === undefined) return spec;
  return { ...spec, wireDims: isBatched ? [-1, ...dims] : dims };
}

function fits(dim: Dim, size: number): boolean {
  if (typeof dim === "number") return dim === size;
  const isInRange = size >= dim.min && size <= (dim.max ?? Number.MAX_SAFE_INTEGER);
  return isInRange && size % (dim.multipleOf ?? 1) === 0;
}

/** The first dimensions that requests choose are one batch: what max_batch_size above 0 says. */
function withOneBatch({ inputs, outputs }: Ports): Ports {
  const taken = [...inputs, ...outputs].flatMap(({ dims }) =>
    dims.slice(1).map((dim) => (typeof dim === "number" ? "" : dim.symbol)),
  );
  const symbol = taken.includes("batch") ? "batch of requests" : "batch";
  const rename = (spec: TensorSpec): TensorSpec => {
    const [first, ...rest] = spec.dims;
    return typeof first === "object" ? { ...spec, dims: [{ ...first, symbol }, ...rest] } : spec;
  };
  return { inputs: inputs.map(rename), outputs: outputs.map(rename) };
}

function free(symbol: string): VariableDim {
  return { symbol, min: 0, max: undefined };
}

function text(dim: Dim): string {
  return typeof dim === "number" ? String(dim) : dim.symbol;
}

function contradiction({ source }: Context, what: string): ServeError {
  return new ServeError("failed_precondition", `${source} ${what}`, { reason: "option_unsupported" });
}
