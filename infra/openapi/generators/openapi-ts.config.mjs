// @hey-api/openapi-ts: its own client on `fetch`.
export default {
  input: "openapi.json",
  // Node.js resolves modules by their whole names.
  output: { path: "hey-api", module: { extension: ".js" } },
  plugins: ["@hey-api/client-fetch", "@hey-api/typescript", "@hey-api/sdk"],
};
