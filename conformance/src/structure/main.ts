// Prints what can be counted about the shape of the code: `npm run structure`, or `npm run structure -- FOLDER` for another checkout.
import { fileURLToPath } from "node:url";
import { measureStructure } from "./measure.ts";

const root = process.argv[2] ?? fileURLToPath(new URL("../../..", import.meta.url));
const { rooms, typeCycles, mutualFolders, doubleNames, testOnlyFiles } = measureStructure(root);

const list = (title: string, found: readonly string[]): void => {
  console.log(`${title}: ${found.length}`);
  for (const line of found) console.log(`  ${line}`);
};

console.log("files  types  folder");
for (const { folder, files, types } of rooms) {
  console.log(`${String(files).padStart(5)}  ${String(types).padStart(5)}  ${folder}`);
}
list(
  "type cycles",
  typeCycles.map((files) => files.join(", ")),
);
list("folders that import each other", mutualFolders);
list("exported types declared twice in a package", doubleNames);
list("product files that only tests import", testOnlyFiles);
