import { isBuiltin, plainBuiltin, primBuiltin, torchBuiltin } from "./builtins.ts";
import { grownBuiltin } from "./grown-list-builtins.ts";
import { range } from "./literals.ts";
import { isUnknown } from "./op-caller.ts";
import type { Reading } from "./reading.ts";
import type { ReadingBudget } from "./reading-budget.ts";
import type { Expr, FunctionDef } from "./source-ast.ts";
import { isOfType } from "./typed-value.ts";
import { UnprovenSize, UnsupportedOp, unknownOp, unsupportedOp } from "./unsupported-op.ts";
import { bool, isGrown, NONE_VALUE, type ObjectValue, UNKNOWN, type Value } from "./value.ts";

/** Ops with schemas that are not PyTorch's own. */
const OTHER_OPS = /^(torchvision|transformers|quantized_decomposed|torchao)\./;

/** Calls that only tell something. */
const TELLING = new Set(["torch.warn", "warn", "warnings.warn", "print"]);

/** Functions that make a number of another, or of the tensor that holds it. */
const READS = new Set(["int", "float", "bool", "Int", "Float", "Bool", "IntImplicit", "FloatImplicit"]);

/** What functions need of the program that calls them. */
interface CallingProgram {
  invoke(definition: FunctionDef, args: readonly Value[], kwargs: ReadonlyMap<string, Value>): Value;
  attribute(object: Value, name: string): Value;
}

/** Calls functions by their path. A refused op is noted under its name and has an unknown result, so that the reading goes on. */
export class FunctionCaller {
  readonly #reading: Reading;
  readonly #budget: ReadingBudget;
  readonly #program: CallingProgram;

  constructor(reading: Reading, budget: ReadingBudget, program: CallingProgram) {
    this.#reading = reading;
    this.#budget = budget;
    this.#program = program;
  }

  /** Calls what a dotted path names: code of the archive, an op, or a function of the language. */
  call(path: string, args: readonly Value[], kwargs: ReadonlyMap<string, Value>): Value {
    if (path.endsWith(".__new__")) return madeObject(args[0]);
    if (path.startsWith("__torch__.")) return this.#userCode(path, args, kwargs);
    if (path === "getattr" && args[1]?.kind === "string")
      return this.#program.attribute(args[0]!, args[1].value);
    if (path === "range") return range(args);
    if (TELLING.has(path)) return NONE_VALUE;
    if (path.startsWith("torch.")) return this.torch(path.slice("torch.".length), args, kwargs);
    if (path.startsWith("ops.aten.")) return this.torch(path.slice("ops.aten.".length), args, kwargs);
    const op = path.startsWith("ops.") ? path.slice("ops.".length) : path;
    if (op === "prim.RaiseException") return unsupportedOp("the program always raises an error");
    if (OTHER_OPS.test(op)) return this.#guarded(op, () => this.#reading.ops.call({ op, args, kwargs }));
    return this.#guarded(op, () => {
      // Whatever it made of them would follow from what is reported already.
      if (args.some(isUnknown)) return UNKNOWN;
      const name = op.slice(op.indexOf(".") + 1);
      const given = READS.has(op) ? args.map((arg) => this.#number(arg)) : args;
      const result = op.startsWith("prim.") ? primBuiltin(name, args) : plainBuiltin(op, given);
      return result ?? unsupportedOp(unknownOp(op, "it is not known"));
    });
  }

  /** Whether a value is of a type that the program names, where the kinds of both tell. */
  isInstance(value: Value, type: Expr): Value {
    return this.#guarded("isinstance", () => {
      if (isUnknown(value)) return UNKNOWN;
      const is = isOfType(value, type);
      return is === undefined ? unsupportedOp("it asks for a type that is not known") : bool(is);
    });
  }

  /** Calls `torch.<name>`. */
  torch(name: string, args: readonly Value[], kwargs: ReadonlyMap<string, Value>): Value {
    return this.#guarded(`aten.${name}`, () => {
      const [a, b] = args;
      const grown = isGrown(a)
        ? grownBuiltin(name, { list: a, args, kwargs, ops: this.#reading.ops })
        : undefined;
      if (grown !== undefined) return grown;
      if (/^__is(not)?__$/.test(name) && a?.kind === "tensor" && b?.kind === "tensor") {
        const isSame = this.#reading.ops.isSameTensor(a, b);
        return isSame === undefined
          ? unsupportedOp("whether two tensors are one object is not known")
          : bool(isSame === (name === "__is__"));
      }
      const isKnown = kwargs.size === 0 && !args.some(isUnknown);
      if (!isKnown && args.some(isUnknown) && isBuiltin(name)) return UNKNOWN;
      if (isKnown && a?.kind === "tensor" && (name === "item" || name === "ScalarImplicit"))
        return this.#number(a);
      const given = READS.has(name) ? args.map((arg) => this.#number(arg)) : args;
      const known = isKnown ? torchBuiltin(name, given) : undefined;
      return known ?? this.#reading.ops.call({ op: `aten.${name}`, args, kwargs });
    });
  }

  /** A number for the tensor that holds it. */
  #number(value: Value): Value {
    return value.kind === "tensor" ? this.#reading.ops.numberOf(value) : value;
  }

  /** Runs one op; why it is unsupported is noted under the op's name and the reading goes on with an unknown result. */
  #guarded(op: string, run: () => Value): Value {
    try {
      const value = run();
      if (value.kind === "list" && !isGrown(value)) this.#budget.step(value.items.length);
      return value;
    } catch (error) {
      const isOfData = error instanceof UnprovenSize && this.#reading.ops.isOfData(error.need);
      if (!(error instanceof UnsupportedOp || isOfData)) throw error;
      this.#reading.unsupported.add(op, error.message);
      return UNKNOWN;
    }
  }

  /** A free function of the archive, or the making of a named tuple. */
  #userCode(path: string, args: readonly Value[], kwargs: ReadonlyMap<string, Value>): Value {
    const definition = this.#reading.library.function(path);
    if (definition !== undefined) return this.#program.invoke(definition, args, kwargs);
    const made = this.#reading.library.classDef(path);
    if (made?.base !== "NamedTuple") return unsupportedOp(`it makes an object of the class ${path}`);
    return { kind: "tuple", items: [...args, ...kwargs.values()], fields: [...made.fields.keys()] };
  }
}

/** `Class.__new__(Class)`, before its `__init__`. */
function madeObject(type: Value | undefined): ObjectValue {
  if (type?.kind !== "path") return unsupportedOp("it makes an object of an unknown class");
  return {
    kind: "object",
    path: type.path,
    name: "",
    pickled: undefined,
    attributes: new Map(),
    read: new Set(),
  };
}
