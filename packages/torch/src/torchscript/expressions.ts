import { itemsOf } from "../checkpoint/pickle-value.ts";
import { ModelFileError } from "../errors.ts";
import type { Frame } from "./containers.ts";
import { keyOfValue } from "./dict-builtins.ts";
import { FunctionCaller } from "./function-caller.ts";
import { constant, subscript } from "./literals.ts";
import { isUnknown } from "./op-caller.ts";
import type { Reading } from "./reading.ts";
import type { ReadingBudget } from "./reading-budget.ts";
import type { Expr, FunctionDef } from "./source-ast.ts";
import { asDeclared } from "./typed-value.ts";
import { ADVICE, UnprovenSize, UnsupportedOp, unsupportedOp } from "./unsupported-op.ts";
import {
  isGrown,
  isNumber,
  type NumberValue,
  type ObjectValue,
  UNKNOWN,
  UNSET,
  type Value,
} from "./value.ts";

type Kwargs = ReadonlyMap<string, Value>;

/** What expressions need of the program that they are a part of. */
interface RunningProgram {
  method(object: ObjectValue, name: string, args: readonly Value[], kwargs?: Kwargs): Value;
  invoke(definition: FunctionDef, args: readonly Value[], kwargs: Kwargs): Value;
}

/** Works out expressions, on values that are known by type alone, and what they decide. */
export class Expressions {
  readonly functions: FunctionCaller;
  readonly #reading: Reading;
  readonly #budget: ReadingBudget;
  readonly #program: RunningProgram;

  constructor(reading: Reading, budget: ReadingBudget, program: RunningProgram) {
    this.#reading = reading;
    this.#budget = budget;
    this.#program = program;
    this.functions = new FunctionCaller(reading, budget, {
      invoke: (definition, args, kwargs) => program.invoke(definition, args, kwargs),
      attribute: (object, name) => this.attribute(object, name),
    });
  }

  /** The value that decides a branch or a loop. */
  condition(condition: Expr, frame: Frame): Value {
    this.#budget.step();
    return this.evaluate(condition, frame);
  }

  /** The number, where only the run knows it: of the data, or of sizes that stay the caller's. */
  ofRun(value: Value): NumberValue | undefined {
    if (!isNumber(value) || typeof value.value === "number") return undefined;
    return this.#reading.areSizesStated ? value : this.ofData(value);
  }

  /** The number, where only the data knows it. */
  ofData(value: Value): NumberValue | undefined {
    if (!isNumber(value) || typeof value.value === "number") return undefined;
    return this.#reading.ops.isOfData({ kind: "numbers", dims: [value.value] }) ? value : undefined;
  }

  /** `what` names the statement whose condition it is. */
  truth(value: Value, what: string): boolean {
    if (isNumber(value) && typeof value.value === "number") return value.value !== 0;
    if (this.ofData(value) !== undefined)
      return unsupportedOp(`the condition of ${what} depends on the data: ${ADVICE}`);
    if (isNumber(value)) {
      const dims = [value.value];
      throw new UnprovenSize(`the condition of ${what} depends on a size`, { kind: "numbers", dims });
    }
    throw new UnsupportedOp(`the condition of ${what} depends on the data: ${ADVICE}`, {
      isFollower: isUnknown(value),
    });
  }

  /** The value of an expression. Throws UnsupportedOp, UnprovenSize, ModelFileError. */
  evaluate(expr: Expr, frame: Frame): Value {
    this.#budget.step();
    this.#budget.enterExpression();
    const value = this.#reading.ops.current(this.#value(expr, frame));
    this.#budget.leaveExpression();
    return value;
  }

  #value(expr: Expr, frame: Frame): Value {
    switch (expr.kind) {
      case "constant":
        return constant(expr);
      case "name":
        return frame.get(expr.name) ?? { kind: "path", path: expr.name };
      case "attribute":
        return this.attribute(this.evaluate(expr.object, frame), expr.name);
      case "subscript":
        return this.#subscript(this.evaluate(expr.object, frame), this.evaluate(expr.index, frame));
      case "list":
      case "tuple":
        return { kind: expr.kind, items: expr.items.map((item) => this.evaluate(item, frame)) };
      case "dict":
        return this.#dict(expr.entries, frame);
      case "negate":
      case "not": {
        const value = this.evaluate(expr.operand, frame);
        return this.functions.torch(expr.kind === "not" ? "__not__" : "neg", [value], new Map());
      }
      case "choice":
        return this.evaluate(
          this.truth(this.condition(expr.condition, frame), "an 'if' expression")
            ? expr.then
            : expr.otherwise,
          frame,
        );
      case "call":
        return this.#call(expr, frame);
    }
  }

  #subscript(object: Value, index: Value): Value {
    return isGrown(object)
      ? this.functions.torch("__getitem__", [object, index], new Map())
      : subscript(object, index);
  }

  #dict(entries: readonly (readonly [Expr, Expr])[], frame: Frame): Value {
    const dict = new Map<string | number, Value>();
    for (const [keyExpr, valueExpr] of entries) {
      const key = this.evaluate(keyExpr, frame);
      const name = keyOfValue(key) ?? unsupportedOp("a dict has a key that is not text and no known integer");
      dict.set(name, this.evaluate(valueExpr, frame));
    }
    return { kind: "dict", entries: dict };
  }

  /** A member of an object, a field of a named tuple, or a longer path. */
  attribute(object: Value, name: string): Value {
    switch (object.kind) {
      case "path":
        return object.path === "CONSTANTS"
          ? this.#constant(name)
          : { kind: "path", path: `${object.path}.${name}` };
      case "object":
        return this.#member(object, name);
      case "tuple": {
        const at = object.fields?.indexOf(name) ?? -1;
        return object.items[at] ?? unsupportedOp(`a tuple has no field '${name}'`);
      }
      case "unknown":
        return UNKNOWN;
      default:
        return unsupportedOp(`the attribute '${name}' of a ${object.kind}`);
    }
  }

  #member(object: ObjectValue, name: string): Value {
    const definition = this.#reading.library.classDef(object.path);
    const field = definition?.fields.get(name);
    const value = this.#reading.objects.attribute(object, name);
    if (!object.attributes.has(name)) object.read.add(name);
    if (value !== undefined) return asDeclared(value, field?.type);
    if (definition?.methods.has(name)) return { kind: "method", object, name };
    if (field?.value !== undefined) return asDeclared(this.evaluate(field.value, new Map()), field.type);
    throw new ModelFileError("corrupt", `an object of ${object.path} has no attribute '${name}'`);
  }

  /** `CONSTANTS.c3` */
  #constant(name: string): Value {
    const at = Number(/^c(\d+)$/.exec(name)?.[1] ?? Number.NaN);
    const pickled = itemsOf(this.#reading.constants)?.[at];
    if (pickled === undefined) throw new ModelFileError("corrupt", `the archive has no constant '${name}'`);
    return this.#reading.constantObjects.constant(pickled, `constant_${at}`);
  }

  /** A value as its type says; a tensor that is said to be a number is the number that it holds. */
  #annotated(value: Value, type: Expr): Value {
    const isNumber = type.kind === "name" && (type.name === "int" || type.name === "float");
    if (value.kind !== "tensor" || !isNumber) return asDeclared(value, type);
    return this.functions.torch("ScalarImplicit", [value], new Map());
  }

  #call(expr: Extract<Expr, { kind: "call" }>, frame: Frame): Value {
    const callee = this.evaluate(expr.callee, frame);
    const path = callee.kind === "path" ? callee.path : undefined;
    // Their first argument is a type.
    if (path === "annotate" || path === "unchecked_cast") {
      return this.#annotated(this.evaluate(expr.args[1]!, frame), expr.args[0]!);
    }
    if (path === "uninitialized") return UNSET;
    if (path === "isinstance")
      return this.functions.isInstance(this.evaluate(expr.args[0]!, frame), expr.args[1]!);
    const args = expr.args.map((arg) => this.evaluate(arg, frame));
    const kwargs = new Map(expr.kwargs.map(({ name, value }) => [name, this.evaluate(value, frame)]));
    if (callee.kind === "method") return this.#program.method(callee.object, callee.name, args, kwargs);
    if (callee.kind === "object") return this.#program.method(callee, "forward", args, kwargs);
    if (path === undefined)
      return callee.kind === "unknown" ? UNKNOWN : unsupportedOp(`it calls a ${callee.kind}`);
    return this.functions.call(path, args, kwargs);
  }
}
