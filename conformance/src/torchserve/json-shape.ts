/** JSON with its values replaced by their kinds; of an array, its first element. Whole numbers and others are one kind. */
export function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [shapeOf(value[0])];
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, shapeOf(inner)]));
}

interface Description {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          { readonly operationId: string; readonly parameters?: readonly { readonly name: string }[] }
        >
      >
    >
  >;
}

/** `METHOD path id(parameters)` of each operation that an OpenAPI description has. */
export function operationsOf({ paths }: Description): readonly string[] {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId, parameters = [] }]) => {
      const names = parameters.map(({ name }) => name).sort();
      return `${method.toUpperCase()} ${path} ${operationId}(${names.join(", ")})`;
    }),
  );
  return operations.sort();
}
