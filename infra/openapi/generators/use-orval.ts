import { createProperty, getProperty } from "./orval/api.js";
import { check, DRAFT, token } from "./use.js";

const options = { headers: { Authorization: `Bearer ${token}` } };
const key = { "Idempotency-Key": crypto.randomUUID() };
const written = await createProperty(DRAFT, key, options);
const again = await createProperty(DRAFT, key, options);
const id = written.status === 201 ? written.data.id : "";
const read = await getProperty(id, {}, options);
check("orval", written.status === 201 ? written.data : undefined, again.status === 201 ? again.data : undefined, read.status === 200 ? read.data : undefined);
