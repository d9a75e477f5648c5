import createClient from "openapi-fetch";

import type { paths } from "./openapi-typescript/schema.js";
import { baseUrl, check, DRAFT, token } from "./use.js";

const api = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
const header = { "Idempotency-Key": crypto.randomUUID() };
const { data: written } = await api.POST("/api/properties", { params: { header }, body: DRAFT });
const { data: again } = await api.POST("/api/properties", { params: { header }, body: DRAFT });
const { data: read } = await api.GET("/api/properties/{id}", { params: { path: { id: written?.id ?? "" } } });
check("openapi-typescript", written, again, read);
