// orval: functions on `fetch`.
export default {
  renttracker: {
    input: "openapi.json",
    output: {
      target: "orval/api.ts",
      client: "fetch",
      baseUrl: { runtime: "process.env.RENTTRACKER_URL" },
      // Or header parameters (`If-Match`, `Idempotency-Key`) are left out.
      headers: true,
    },
  },
};
