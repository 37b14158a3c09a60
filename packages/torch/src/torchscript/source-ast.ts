/** The subset of Python that TorchScript serializes (torch/csrc/jit/serialization/python_print.cpp). */
export type Expr =
  | { readonly kind: "name"; readonly name: string }
  | {
      readonly kind: "constant";
      readonly value: null | boolean | number | bigint | string;
      readonly isFloat: boolean;
    }
  | { readonly kind: "attribute"; readonly object: Expr; readonly name: string }
  | { readonly kind: "subscript"; readonly object: Expr; readonly index: Expr }
  | {
      readonly kind: "call";
      readonly callee: Expr;
      readonly args: readonly Expr[];
      readonly kwargs: readonly KeywordArg[];
    }
  | { readonly kind: "list" | "tuple"; readonly items: readonly Expr[] }
  | { readonly kind: "dict"; readonly entries: readonly (readonly [Expr, Expr])[] }
  | { readonly kind: "negate" | "not"; readonly operand: Expr }
  | { readonly kind: "choice"; readonly condition: Expr; readonly then: Expr; readonly otherwise: Expr };

export interface KeywordArg {
  readonly name: string;
  readonly value: Expr;
}

/** A statement and where it stands in its file. */
export type Stmt = StmtKind & { readonly line: number };

export type StmtKind =
  | {
      readonly kind: "assign";
      readonly targets: readonly Expr[];
      readonly isUnpacking: boolean;
      readonly value: Expr;
    }
  | { readonly kind: "return"; readonly value: Expr | undefined }
  | { readonly kind: "expression"; readonly value: Expr }
  | {
      readonly kind: "if";
      readonly condition: Expr;
      readonly then: readonly Stmt[];
      readonly otherwise: readonly Stmt[];
    }
  | { readonly kind: "while"; readonly condition: Expr; readonly body: readonly Stmt[] }
  | { readonly kind: "with"; readonly context: Expr; readonly body: readonly Stmt[] }
  | { readonly kind: "for"; readonly target: string; readonly iterable: Expr; readonly body: readonly Stmt[] }
  | { readonly kind: "assert"; readonly condition: Expr };

export interface FunctionParam {
  readonly name: string;
  readonly type: Expr | undefined;
  readonly default: Expr | undefined;
}

export interface FunctionDef {
  readonly name: string;
  /** The file that defines it, inside the archive. */
  readonly file: string;
  readonly params: readonly FunctionParam[];
  readonly body: readonly Stmt[];
}

export interface Field {
  readonly type: Expr | undefined;
  /** The constant that the class states (`Final`). */
  readonly value: Expr | undefined;
}

export interface ClassDef {
  readonly name: string;
  /** "Module", "NamedTuple", "Interface", … */
  readonly base: string | undefined;
  /** Declared attributes, in order. */
  readonly fields: ReadonlyMap<string, Field>;
  readonly methods: ReadonlyMap<string, FunctionDef>;
}

/** One source file of an archive. */
export interface SourceFile {
  readonly classes: ReadonlyMap<string, ClassDef>;
  readonly functions: ReadonlyMap<string, FunctionDef>;
}

/** Whether a branch certainly raises an error. */
export function raises(body: readonly Stmt[]): boolean {
  return body.some((statement) => {
    const callee =
      statement.kind === "expression" && statement.value.kind === "call" ? statement.value.callee : undefined;
    return callee?.kind === "attribute" && callee.name === "RaiseException";
  });
}
