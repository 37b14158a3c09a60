import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** Every `reason` that a source file can give a ServeError, with the codes it comes with as far as they are written beside it. */
export type Reasons = ReadonlyMap<string, ReadonlySet<string>>;

interface Maker {
  readonly file: ts.SourceFile;
  /** Which parameter is the reason. */
  readonly index: number;
  readonly codes: readonly string[];
}

/** Reasons are words for machines; what has spaces is a sentence for people. */
const WORD = /^[a-z0-9]+(_[a-z0-9]+)*$/;

/** The sources of a folder, parsed; tests and generated code left out. */
export function parseSources(folder: string): ts.SourceFile[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !/\.test\.|\.d\.ts$|^gen\//.test(name))
    .map((name) =>
      ts.createSourceFile(name, readFileSync(join(folder, name), "utf8"), ts.ScriptTarget.Latest, true),
    );
}

/**
 * Reads the reasons from the syntax tree: the `reason` of an object given to `new ServeError`, the defaults of parameters called
 * `reason`, and the texts that calls pass for such parameters of functions that make a ServeError.
 */
export function reasonsIn(files: readonly ts.SourceFile[]): Reasons {
  const reasons = new Map<string, Set<string>>();
  const add = (reason: string, codes: readonly string[]): void => {
    if (!WORD.test(reason)) return;
    const known = reasons.get(reason) ?? new Set();
    for (const code of codes) known.add(code);
    reasons.set(reason, known);
  };
  const makers = new Map<string, Maker[]>();
  const nodes = files.flatMap(allNodes);
  for (const node of nodes) collectMaker(node, makers, add);
  for (const node of nodes) {
    if (ts.isNewExpression(node) && node.expression.getText() === "ServeError") {
      const [code, , options] = node.arguments ?? [];
      for (const reason of reasonTexts(options)) add(reason, texts(code));
    } else if (ts.isCallExpression(node)) {
      for (const { index, codes } of makersCalledBy(node, makers)) {
        for (const reason of texts(node.arguments[index])) add(reason, codes);
      }
    }
  }
  return reasons;
}

/** A function of the same file, else those of that name anywhere. */
function makersCalledBy(
  node: ts.CallExpression,
  makers: ReadonlyMap<string, readonly Maker[]>,
): readonly Maker[] {
  const named = makers.get(calledName(node)) ?? [];
  const own = named.filter(({ file }) => file === node.getSourceFile());
  return own.length > 0 ? own : named;
}

/** Functions that pass a parameter called `reason` on to a ServeError. */
function collectMaker(
  node: ts.Node,
  makers: Map<string, Maker[]>,
  add: (reason: string, codes: readonly string[]) => void,
): void {
  if (!ts.isFunctionDeclaration(node) && !ts.isMethodDeclaration(node)) return;
  const index = node.parameters.findIndex((parameter) => parameter.name.getText() === "reason");
  if (index < 0) return;
  const made = allNodes(node).find(
    (inner): inner is ts.NewExpression =>
      ts.isNewExpression(inner) && inner.expression.getText() === "ServeError",
  );
  if (made === undefined || !/\breason\b/.test(made.arguments?.[2]?.getText() ?? "")) return;
  const codes = texts(made.arguments?.[0]);
  const name = node.name?.getText() ?? "";
  makers.set(name, [...(makers.get(name) ?? []), { file: node.getSourceFile(), index, codes }]);
  for (const reason of texts(node.parameters[index]?.initializer)) add(reason, codes);
}

function reasonTexts(options: ts.Expression | undefined): string[] {
  if (options === undefined || !ts.isObjectLiteralExpression(options)) return [];
  return options.properties
    .filter(ts.isPropertyAssignment)
    .filter((property) => property.name.getText() === "reason")
    .flatMap((property) => texts(property.initializer));
}

/** The texts that an expression can be: a literal, or both arms of a condition. */
function texts(expression: ts.Expression | undefined): string[] {
  if (expression === undefined) return [];
  if (ts.isStringLiteral(expression)) return [expression.text];
  if (ts.isConditionalExpression(expression)) {
    return [...texts(expression.whenTrue), ...texts(expression.whenFalse)];
  }
  return [];
}

function calledName({ expression }: ts.CallExpression): string {
  return ts.isPropertyAccessExpression(expression) ? expression.name.getText() : expression.getText();
}

function allNodes(root: ts.Node): ts.Node[] {
  const found: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(root);
  return found;
}
