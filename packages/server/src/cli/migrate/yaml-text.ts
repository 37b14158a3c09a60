import { stringify } from "yaml";

/** Settings as a file says them, with a comment of where they come from. */
export function yamlText(values: Readonly<Record<string, unknown>>, source: string): string {
  return `# From ${source}, by sconce migrate.\n${stringify(values, { lineWidth: 0 })}`;
}
