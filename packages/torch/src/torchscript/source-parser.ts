import { ModelFileError } from "../errors.ts";
import type {
  ClassDef,
  Expr,
  Field,
  FunctionDef,
  FunctionParam,
  KeywordArg,
  SourceFile,
  Stmt,
  StmtKind,
} from "./source-ast.ts";
import { COMPLEX, NAMED, number, unquote } from "./source-literals.ts";
import { type Token, tokenize } from "./source-tokens.ts";

const MAX_DEPTH = 200;

/** Parses one file of an archive, named `file` there. Throws ModelFileError for anything that TorchScript does not write. */
export function parseSource(text: string, file = "code"): SourceFile {
  const parser = new Parser(tokenize(text), file);
  const classes = new Map<string, ClassDef>();
  const functions = new Map<string, FunctionDef>();
  while (!parser.is("end")) {
    if (parser.takeName("class")) {
      const parsed = parser.classDef();
      classes.set(parsed.name, parsed);
    } else if (parser.takeName("def")) {
      const parsed = parser.functionDef();
      functions.set(parsed.name, parsed);
    } else parser.expect("newline");
  }
  return { classes, functions };
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #file: string;
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], file: string) {
    this.#tokens = tokens;
    this.#file = file;
  }

  is(kind: Token["kind"], text?: string): boolean {
    const token = this.#tokens[this.#at]!;
    return token.kind === kind && (text === undefined || token.text === text);
  }

  takeName(text: string): boolean {
    return this.#take("name", text);
  }

  expect(kind: Token["kind"], text?: string): string {
    const token = this.#tokens[this.#at]!;
    if (!this.is(kind, text)) {
      throw new ModelFileError(
        "corrupt",
        `line ${token.line} of the TorchScript source ${this.#file}: unexpected ${JSON.stringify(token.text.slice(0, 40))}`,
      );
    }
    if (kind !== "end") this.#at += 1;
    return token.text;
  }

  classDef(): ClassDef {
    const name = this.expect("name");
    let base: string | undefined;
    if (this.#takeSymbol("(")) {
      base = this.expect("name");
      this.expect("symbol", ")");
    }
    const fields = new Map<string, Field>();
    const methods = new Map<string, FunctionDef>();
    this.#block(() => {
      if (this.takeName("def")) {
        const method = this.functionDef();
        methods.set(method.name, method);
      } else if (!this.takeName("pass")) this.#field(fields);
    });
    return { name, base, fields, methods };
  }

  /** `name : T`, `name : Final[int] = 3`, `name = [...]`, `__annotations__["0"] = T`. */
  #field(fields: Map<string, Field>): void {
    const target = this.#expression();
    const type = this.#takeSymbol(":") ? this.#expression() : undefined;
    const value = this.#takeSymbol("=") ? this.#expression() : undefined;
    if (target.kind === "name") fields.set(target.name, { type, value });
    else if (target.kind === "subscript" && target.index.kind === "constant") {
      fields.set(String(target.index.value), { type: value, value: undefined });
    }
  }

  functionDef(): FunctionDef {
    const name = this.expect("name");
    this.expect("symbol", "(");
    const params: FunctionParam[] = [];
    while (!this.#takeSymbol(")")) {
      const param = this.expect("name");
      const type = this.#takeSymbol(":") ? this.#expression() : undefined;
      params.push({ name: param, type, default: this.#takeSymbol("=") ? this.#expression() : undefined });
      if (!this.is("symbol", ")")) this.expect("symbol", ",");
    }
    if (this.#takeSymbol("->")) this.#expression();
    return { name, file: this.#file, params, body: this.#statements() };
  }

  #statements(): Stmt[] {
    const body: Stmt[] = [];
    this.#block(() => {
      const statement = this.#statement();
      if (statement !== undefined) body.push(statement);
    });
    return body;
  }

  #block(item: () => void): void {
    this.#enter();
    this.expect("symbol", ":");
    this.expect("newline");
    // The serializer leaves the body of a class without members out.
    if (!this.#take("indent")) {
      this.#depth -= 1;
      return;
    }
    while (!this.#take("dedent")) {
      if (this.#take("newline")) continue;
      item();
    }
    this.#depth -= 1;
  }

  #statement(): Stmt | undefined {
    const { line } = this.#tokens[this.#at]!;
    if (this.takeName("pass")) return undefined;
    return { ...this.#statementKind(), line };
  }

  #statementKind(): StmtKind {
    if (this.takeName("return")) {
      return { kind: "return", value: this.is("newline") ? undefined : this.#expressionList() };
    }
    if (this.takeName("if")) return this.#if();
    if (this.takeName("while"))
      return { kind: "while", condition: this.#expression(), body: this.#statements() };
    if (this.takeName("with")) return { kind: "with", context: this.#expression(), body: this.#statements() };
    if (this.takeName("for")) {
      const target = this.expect("name");
      this.expect("name", "in");
      return { kind: "for", target, iterable: this.#expression(), body: this.#statements() };
    }
    if (this.takeName("assert")) {
      const condition = this.#expression();
      if (this.#takeSymbol(",")) this.#expression();
      return { kind: "assert", condition };
    }
    return this.#assignment();
  }

  #if(): StmtKind {
    this.#enter();
    const parsed = this.#branches();
    this.#depth -= 1;
    return parsed;
  }

  #branches(): StmtKind {
    const condition = this.#expression();
    const then = this.#statements();
    const { line } = this.#tokens[this.#at]!;
    if (this.takeName("elif")) return { kind: "if", condition, then, otherwise: [{ ...this.#if(), line }] };
    return { kind: "if", condition, then, otherwise: this.takeName("else") ? this.#statements() : [] };
  }

  #assignment(): StmtKind {
    const first = this.#expression();
    if (this.#takeSymbol(":")) this.#expression();
    const targets = [first];
    let isUnpacking = false;
    while (this.#takeSymbol(",")) {
      isUnpacking = true;
      if (!this.is("symbol", "=")) targets.push(this.#expression());
    }
    if (!this.#takeSymbol("=")) return { kind: "expression", value: first };
    return { kind: "assign", targets, isUnpacking, value: this.#expressionList() };
  }

  /** `a` or the tuple `a, b` without parentheses. */
  #expressionList(): Expr {
    const first = this.#expression();
    if (!this.is("symbol", ",")) return first;
    const items = [first];
    while (this.#takeSymbol(",")) if (!this.is("newline")) items.push(this.#expression());
    return { kind: "tuple", items };
  }

  #expression(): Expr {
    const then = this.#unary();
    if (!this.takeName("if")) return then;
    this.#enter();
    const condition = this.#unary();
    this.expect("name", "else");
    const choice: Expr = { kind: "choice", condition, then, otherwise: this.#expression() };
    this.#depth -= 1;
    return choice;
  }

  #unary(): Expr {
    this.#enter();
    const kind = this.#takeSymbol("-") ? "negate" : this.takeName("not") ? "not" : undefined;
    const expr: Expr = kind === undefined ? this.#postfix(this.#atom()) : { kind, operand: this.#unary() };
    this.#depth -= 1;
    return expr;
  }

  #postfix(atom: Expr): Expr {
    let expr = atom;
    // A chain nests to the left, as deep as it is long.
    for (let length = 0; length < MAX_DEPTH; length += 1) {
      if (this.#takeSymbol(".")) expr = { kind: "attribute", object: expr, name: this.expect("name") };
      else if (this.#takeSymbol("(")) expr = this.#call(expr);
      else if (this.#takeSymbol("[")) {
        const items = this.#items("]");
        expr = {
          kind: "subscript",
          object: expr,
          index: items.length === 1 ? items[0]! : { kind: "tuple", items },
        };
      } else return expr;
    }
    throw tooDeep();
  }

  #call(callee: Expr): Expr {
    const args: Expr[] = [];
    const kwargs: KeywordArg[] = [];
    while (!this.#takeSymbol(")")) {
      const value = this.#expression();
      if (value.kind === "name" && this.#takeSymbol("="))
        kwargs.push({ name: value.name, value: this.#expression() });
      else args.push(value);
      if (!this.is("symbol", ")")) this.expect("symbol", ",");
    }
    return { kind: "call", callee, args, kwargs };
  }

  #atom(): Expr {
    const token = this.#tokens[this.#at]!;
    if (this.#take("number")) return number(token.text);
    if (this.#take("complex")) return COMPLEX;
    if (this.#take("string")) return { kind: "constant", value: unquote(token.text), isFloat: false };
    if (this.#takeSymbol("(")) return this.#parenthesized();
    if (this.#takeSymbol("[")) return { kind: "list", items: this.#items("]") };
    if (this.#takeSymbol("{")) return this.#dict();
    const name = this.expect("name");
    const known = NAMED.get(name);
    return known === undefined ? { kind: "name", name } : { kind: "constant", ...known };
  }

  #parenthesized(): Expr {
    if (this.#takeSymbol(")")) return { kind: "tuple", items: [] };
    const first = this.#expression();
    if (this.#takeSymbol(")")) return first;
    this.expect("symbol", ",");
    return { kind: "tuple", items: [first, ...this.#items(")")] };
  }

  #dict(): Expr {
    const entries: [Expr, Expr][] = [];
    while (!this.#takeSymbol("}")) {
      const key = this.#expression();
      this.expect("symbol", ":");
      entries.push([key, this.#expression()]);
      if (!this.is("symbol", "}")) this.expect("symbol", ",");
    }
    return { kind: "dict", entries };
  }

  #items(end: string): Expr[] {
    const items: Expr[] = [];
    while (!this.#takeSymbol(end)) {
      items.push(this.#expression());
      if (!this.is("symbol", end)) this.expect("symbol", ",");
    }
    return items;
  }

  #enter(): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw tooDeep();
  }

  #takeSymbol(text: string): boolean {
    return this.#take("symbol", text);
  }

  #take(kind: Token["kind"], text?: string): boolean {
    if (!this.is(kind, text)) return false;
    this.#at += 1;
    return true;
  }
}

function tooDeep(): ModelFileError {
  return new ModelFileError("limit", "a TorchScript source nests too deep");
}
