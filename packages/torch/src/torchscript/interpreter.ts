import type { CodePlace } from "../code-place.ts";
import { ModelFileError } from "../errors.ts";
import type { Frame } from "./containers.ts";
import { Expressions } from "./expressions.ts";
import { typeText } from "./module-state.ts";
import { isUnknown } from "./op-caller.ts";
import type { Reading } from "./reading.ts";
import { ReadingBudget } from "./reading-budget.ts";
import { type Expr, type FunctionDef, raises, type Stmt } from "./source-ast.ts";
import { ADVICE, UnprovenSize, UnsupportedOp, unsupportedOp } from "./unsupported-op.ts";
import { NONE_VALUE, type NumberValue, type ObjectValue, UNKNOWN, type Value } from "./value.ts";

/** Contexts that change nothing at inference. */
const IDLE_CONTEXTS = /^__torch__\.torch\.autograd\.grad_mode\.(no_grad|inference_mode)$/;
/**
 * Runs a TorchScript program on values that are known by type alone: calls are inlined, conditions and loops over constants are
 * folded, those over the data become nodes, ops are recorded. What ends the reading is in `unsupported`.
 */
export class Interpreter {
  readonly #reading: Reading;
  readonly #budget = new ReadingBudget();
  readonly #expressions: Expressions;
  /** Of the innermost call. */
  #at: Place | undefined;

  /** How many branches that the data decides the reading is in. */
  #depth = 0;

  constructor(reading: Reading) {
    this.#reading = reading;
    this.#expressions = new Expressions(reading, this.#budget, {
      method: (object, name, args, kwargs) => this.method(object, name, args, kwargs),
      invoke: (definition, args, kwargs) => this.#invoke(definition, args, kwargs),
    });
  }

  /** The line that is being read. */
  get place(): CodePlace | undefined {
    if (this.#at === undefined) return undefined;
    const { module, file, line } = this.#at;
    return {
      module: module?.name ?? "",
      ...(module !== undefined && { type: module.path.replace(/^__torch__\.|___torch_mangle_\d+\./g, "") }),
      line: `${file}:${line}`,
    };
  }

  /** Calls a method. Throws UnsupportedOp when the program cannot be followed to its end, UnprovenSize, ModelFileError. */
  method(
    object: ObjectValue,
    name: string,
    args: readonly Value[],
    kwargs: ReadonlyMap<string, Value> = new Map(),
  ): Value {
    const definition = this.#reading.library.classDef(object.path)?.methods.get(name);
    if (definition === undefined) {
      throw new ModelFileError(
        "unsupported",
        `the class ${object.path} has no method '${name}' in the archive`,
      );
    }
    return this.#invoke(definition, [object, ...args], kwargs);
  }

  #invoke(definition: FunctionDef, args: readonly Value[], kwargs: ReadonlyMap<string, Value>): Value {
    this.#budget.enterCall();
    const frame: Frame = new Map();
    for (const [at, param] of definition.params.entries()) {
      const value =
        args[at] ??
        kwargs.get(param.name) ??
        (param.default && this.#expressions.evaluate(param.default, frame));
      if (value === undefined)
        throw new ModelFileError("corrupt", `a call of '${definition.name}' lacks '${param.name}'`);
      frame.set(param.name, value);
    }
    const outer = this.#at;
    const [self] = args;
    const module = self?.kind === "object" ? self : outer?.module;
    this.#at = { module, file: definition.file, line: 0 };
    const result = this.#placed(definition, frame, this.#at);
    this.#at = outer;
    this.#budget.leaveCall();
    return result ?? NONE_VALUE;
  }

  /** Runs a body; what ends it says where, innermost call first. */
  #placed({ body, file }: FunctionDef, frame: Frame, at: Place): Value | undefined {
    try {
      return this.#run(body, frame, at);
    } catch (error) {
      if (error instanceof UnsupportedOp || error instanceof UnprovenSize)
        error.place ??= `${file}:${at.line}`;
      throw error;
    }
  }

  /** Runs statements; answers what they return, undefined when they fall through. */
  #run(body: readonly Stmt[], frame: Frame, at: Place): Value | undefined {
    for (const statement of body) {
      this.#budget.step();
      at.line = statement.line;
      const result = this.#execute(statement, frame, at);
      if (result !== undefined) return result;
    }
    return undefined;
  }

  #execute(statement: Stmt, frame: Frame, at: Place): Value | undefined {
    switch (statement.kind) {
      case "return":
        return statement.value === undefined
          ? NONE_VALUE
          : this.#expressions.evaluate(statement.value, frame);
      case "assign":
        this.#assign(statement, frame);
        return undefined;
      case "expression":
        this.#expressions.evaluate(statement.value, frame);
        return undefined;
      case "assert":
        return undefined;
      case "if":
        return this.#if(statement, frame, at);
      case "while":
        return this.#while(statement, frame, at);
      case "for": {
        const turns = this.#dataRange(statement.iterable, frame);
        if (turns !== undefined) return this.#repeat(statement, turns, { frame, at });
        for (const item of this.#iterate(statement.iterable, frame)) {
          frame.set(statement.target, item);
          const result = this.#run(statement.body, frame, at);
          if (result !== undefined) return result;
        }
        return undefined;
      }
      case "with":
        this.#enterContext(this.#expressions.evaluate(statement.context, frame));
        return this.#run(statement.body, frame, at);
    }
  }

  #while(statement: Extract<Stmt, { kind: "while" }>, frame: Frame, at: Place): Value | undefined {
    for (;;) {
      const value = this.#expressions.condition(statement.condition, frame);
      const condition = this.#expressions.ofRun(value);
      if (condition !== undefined) {
        this.#loop(frame, condition, (own) => {
          this.#turn(statement.body, own, at);
          return this.#expressions.condition(statement.condition, own);
        });
        return undefined;
      }
      if (!this.#expressions.truth(value, "a 'while'")) return undefined;
      const result = this.#run(statement.body, frame, at);
      if (result !== undefined) return result;
      at.line = statement.line;
    }
  }

  /** The number of turns of `for … in range(n)`, where only the run knows it. */
  #dataRange(iterable: Expr, frame: Frame): NumberValue | undefined {
    if (iterable.kind !== "call" || iterable.callee.kind !== "name" || iterable.callee.name !== "range")
      return undefined;
    const [count, ...others] = iterable.args;
    if (count === undefined || others.length > 0) return undefined;
    return this.#expressions.ofRun(this.#expressions.evaluate(count, frame));
  }

  #repeat(
    { target, body }: Extract<Stmt, { kind: "for" }>,
    turns: NumberValue,
    { frame, at }: { readonly frame: Frame; readonly at: Place },
  ): undefined {
    const compare = (index: Value): Value =>
      this.#expressions.functions.torch("lt", [index, turns], new Map());
    const first: NumberValue = { kind: "int", value: 0 };
    frame.set(target, first);
    this.#loop(
      frame,
      this.#expressions.ofRun(compare(first)) ?? unsupportedOp("a range is of no number"),
      (own) => {
        const index = own.get(target)!;
        this.#turn(body, own, at);
        const next = this.#expressions.functions.torch("add", [index, { kind: "int", value: 1 }], new Map());
        own.set(target, next);
        return compare(next);
      },
    );
    return undefined;
  }

  #loop(frame: Frame, condition: NumberValue, turn: (own: Frame) => Value): void {
    this.#depth += 1;
    this.#reading.ops.loops().run(frame, condition, turn);
    this.#depth -= 1;
  }

  #turn(body: readonly Stmt[], own: Frame, at: Place): void {
    if (this.#run(body, own, at) !== undefined)
      unsupportedOp(`it returns from a loop whose end only the run knows: ${ADVICE}`);
  }

  #if(statement: Extract<Stmt, { kind: "if" }>, frame: Frame, at: Place): Value | undefined {
    const decided = this.#decide(statement, frame);
    if (typeof decided === "boolean")
      return this.#run(decided ? statement.then : statement.otherwise, frame, at);
    const way = (body: readonly Stmt[]) => (own: Frame) => {
      if (raises(body)) unsupportedOp(`it raises an error where the data says so: ${ADVICE}`);
      if (this.#run(body, own, at) !== undefined)
        unsupportedOp(`it returns from a branch that only the run decides: ${ADVICE}`);
    };
    this.#depth += 1;
    this.#reading.ops.branches(decided).run(frame, way(statement.then), way(statement.otherwise));
    this.#depth -= 1;
    return undefined;
  }

  /**
   * The branch that runs, or the condition where only the data knows. Of a check on sizes that the caller chooses, the one that does
   * not raise: what raises has no numbers.
   */
  #decide(statement: Extract<Stmt, { kind: "if" }>, frame: Frame): boolean | NumberValue {
    const { condition, then, otherwise } = statement;
    try {
      const value = this.#expressions.condition(condition, frame);
      const isOfSizes = this.#expressions.ofData(value) === undefined && raises(then) !== raises(otherwise);
      return (
        (isOfSizes ? undefined : this.#expressions.ofRun(value)) ?? this.#expressions.truth(value, "an 'if'")
      );
    } catch (error) {
      const [thenRaises, otherwiseRaises] = [raises(then), raises(otherwise)];
      if (!(error instanceof UnprovenSize) || thenRaises === otherwiseRaises) throw error;
      return !thenRaises;
    }
  }

  #assign({ targets, isUnpacking, value }: Extract<Stmt, { kind: "assign" }>, frame: Frame): void {
    const result = this.#expressions.evaluate(value, frame);
    if (!isUnpacking) {
      this.#store(targets[0]!, result, frame);
      return;
    }
    if (result.kind === "unknown") {
      for (const target of targets) this.#store(target, UNKNOWN, frame);
      return;
    }
    const items = result.kind === "tuple" || result.kind === "list" ? result.items : [];
    if (items.length !== targets.length)
      throw new ModelFileError("corrupt", "a TorchScript program unpacks a wrong number of values");
    for (const [at, target] of targets.entries()) this.#store(target, items[at]!, frame);
  }

  #store(target: Expr, value: Value, frame: Frame): void {
    if (target.kind === "name") {
      frame.set(target.name, value);
      return;
    }
    const object = target.kind === "attribute" ? this.#expressions.evaluate(target.object, frame) : undefined;
    if (target.kind !== "attribute" || object?.kind !== "object") {
      unsupportedOp("it assigns to something unusual");
    } else if (this.#depth > 0) {
      unsupportedOp(`it assigns to an attribute in a branch that only the run decides: ${ADVICE}`);
    } else {
      // What a call writes before it reads it does not outlive the call.
      if (object.pickled !== undefined && object.read.has(target.name))
        this.#keepState(object, target.name, value);
      object.attributes.set(target.name, value);
    }
  }

  #keepState(object: ObjectValue, name: string, value: Value): void {
    if (this.#reading.state.leave(object, name, value)) return;
    const path = object.name === "" ? name : `${object.name}.${name}`;
    const type = value.kind === "tensor" ? `${path}: ${typeText(value.type)}` : undefined;
    const way =
      type === undefined
        ? "pass it in and out of 'forward' instead"
        : `state its type in 'inputs' ('${type}'), and it becomes an input and an output, or pass it in and out of 'forward'`;
    const reason = `the program changes its attribute '${name}' and reads it in the next call: ${way}`;
    this.#reading.unsupported.add("state", reason);
  }

  #enterContext(context: Value): void {
    if (context.kind === "object" && IDLE_CONTEXTS.test(context.path)) return;
    unsupportedOp(`a 'with' block enters ${context.kind === "object" ? context.path : `a ${context.kind}`}`);
  }

  #iterate(iterable: Expr, frame: Frame): readonly Value[] {
    const value = this.#expressions.evaluate(iterable, frame);
    if (value.kind === "list" || value.kind === "tuple") return [...value.items];
    const isFollower = isUnknown(value);
    throw new UnsupportedOp(`a 'for' loop depends on the data: ${ADVICE}`, { isFollower });
  }
}

/** The line that runs in a call, and whose method that is. */
interface Place {
  readonly module: ObjectValue | undefined;
  readonly file: string;
  line: number;
}
