import { client } from "./hey-api/client.gen.js";
import { createProperty, getProperty } from "./hey-api/sdk.gen.js";
import { baseUrl, check, DRAFT, token } from "./use.js";

client.setConfig({ baseUrl, auth: () => token });
const headers = { "Idempotency-Key": crypto.randomUUID() };
const { data: written } = await createProperty({ headers, body: DRAFT });
const { data: again } = await createProperty({ headers, body: DRAFT });
const { data: read } = await getProperty({ path: { id: written?.id ?? "" } });
check("@hey-api/openapi-ts", written, again, read);
