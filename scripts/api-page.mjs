// docs/api.md: what each package exports, with its documentation, from the declarations that are published.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PACKAGES = ["server", "client", "torch", "protocol"];
/** Lines of a declaration; a larger one is a table, whose values are elsewhere. */
const MOST_LINES = 60;

function entries() {
  return PACKAGES.flatMap((folder) => {
    const { name, exports } = JSON.parse(
      readFileSync(join(ROOT, "packages", folder, "package.json"), "utf8"),
    );
    return (
      Object.entries(exports)
        // The messages of gRPC are generated, and documented, by their .proto files.
        .filter(([path, target]) => target.types !== undefined && path !== "./messages")
        .map(([path, { types }]) => ({
          name: path === "." ? name : `${name}${path.slice(1)}`,
          file: join(ROOT, "packages", folder, types),
        }))
    );
  });
}

function documentation(symbol, checker) {
  return ts.displayPartsToString(symbol.getDocumentationComment(checker)).replaceAll(/\s*\n\s*/g, " ");
}

function declarations(symbol) {
  return (symbol.declarations ?? []).map((declaration) => {
    const node = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
    const lines = node.getText().split("\n");
    const shown = lines.length > MOST_LINES ? [...lines.slice(0, 3), "  …"] : lines;
    return shown.join("\n");
  });
}

function section({ name, file }, program) {
  const checker = program.getTypeChecker();
  const symbol = checker.getSymbolAtLocation(program.getSourceFile(file));
  const found = checker
    .getExportsOfModule(symbol)
    .map((exported) =>
      exported.flags & ts.SymbolFlags.Alias
        ? [exported.name, checker.getAliasedSymbol(exported)]
        : [exported.name, exported],
    )
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const undocumented = found.filter(([, target]) => documentation(target, checker) === "");
  const texts = found.map(
    ([exported, target]) =>
      `### ${exported}\n\n${documentation(target, checker)}\n\n\`\`\`ts\n${declarations(target).join("\n")}\n\`\`\`\n`,
  );
  return {
    undocumented: undocumented.map(([exported]) => `${name}: ${exported}`),
    text: `## ${name}\n\n${texts.join("\n")}`,
  };
}

/** Throws when an export has no documentation. */
export function apiPage() {
  const all = entries();
  const program = ts.createProgram(
    all.map(({ file }) => file),
    {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      target: ts.ScriptTarget.ES2023,
      skipLibCheck: true,
      noEmit: true,
      types: [],
    },
  );
  const sections = all.map((entry) => section(entry, program));
  const undocumented = sections.flatMap((part) => part.undocumented);
  if (undocumented.length > 0) throw new Error(`exports without documentation:\n${undocumented.join("\n")}`);
  return `# What the packages export

<!-- Generated from the packages' declarations by \`npm run docs\`. -->

[library.md](library.md) shows how the server is used from a program. What is not listed here may change without notice.

${sections.map(({ text }) => text).join("\n")}`;
}
