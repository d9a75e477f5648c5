// Writes src/generated/ from the OpenAPI document: `node generate.mjs DOCUMENT`. The types are openapi-typescript's, with money as
// `Money`; the lists are what the rest of the package asks the document for.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import openapiTS, { astToString } from "openapi-typescript";
import ts from "typescript";

/** What the document calls money. */
const MONEY = "#/components/schemas/Money";
const KEY = "Idempotency-Key";

const document = JSON.parse(await readFile(process.argv[2], "utf8"));

const types = await openapiTS(document, {
  // A member with a default may be left out of a request.
  defaultNonNullable: false,
  inject: 'import type { Money } from "../money.js";\n',
  transform: (schema) => (schema.format === "decimal" ? ts.factory.createTypeReferenceNode("Money") : undefined),
});

/** Whether a schema is money, or money that may be missing. */
function isMoney(schema) {
  return schema.$ref === MONEY || [...(schema.oneOf ?? []), ...(schema.anyOf ?? []), ...(schema.allOf ?? [])].some(isMoney);
}

const members = Object.values(document.components.schemas).flatMap((schema) => Object.entries(schema.properties ?? {}));
const money = new Set(members.filter(([, schema]) => isMoney(schema)).map(([name]) => name));
const ambiguous = members.find(([name, schema]) => money.has(name) && !isMoney(schema));
if (money.size === 0 || ambiguous) {
  throw new Error(`members of money cannot be told by their names: ${ambiguous?.[0] ?? "there are none"}`);
}

const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
);
const keyed = operations.filter(({ operation }) => operation.parameters?.some(({ name }) => name === KEY));

if (keyed.length === 0) throw new Error(`no operation takes an ${KEY}`);

const list = (words) => `new Set<string>(${JSON.stringify([...words].sort())})`;
await mkdir("src/generated", { recursive: true });
await writeFile("src/generated/schema.ts", astToString(types));
await writeFile(
  "src/generated/contract.ts",
  `/** The members that are money. */
export const MONEY_MEMBERS: ReadonlySet<string> = ${list(money)};
/** The operations that take an \`${KEY}\`. */
export const KEYED_OPERATIONS: ReadonlySet<string> = ${list(keyed.map(({ name }) => name))};
`,
);
