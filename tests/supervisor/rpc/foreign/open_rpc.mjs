// Calls of @open-rpc/client-js over HTTP and WebSocket, and what @open-rpc/schema-utils-js says of the description.
// node open_rpc.mjs PORT, in a folder in which both packages are installed. Prints what came, as one line of JSON.
import { Client, HTTPTransport, RequestManager, WebSocketTransport } from "@open-rpc/client-js";
import { parseOpenRPCDocument, validateOpenRPCDocument } from "@open-rpc/schema-utils-js";

const port = process.argv[2];
const job = { caller_id: "02abc", context_id: "02def", script_type: "SAL", script: "40 + 2" };

async function talk(transport) {
  const manager = new RequestManager([transport]);
  const client = new Client(manager);
  const said = {
    version: await client.request({ method: "version", params: [] }),
    job_id: await client.request({ method: "create_job", params: job }),
  };
  said.status = await client.request({ method: "get_job_status", params: [said.job_id] });
  said.many = (
    await Promise.all([...Array(50)].map(() => client.request({ method: "get_job_status", params: [said.job_id] })))
  ).length;
  said.error = await client.request({ method: "get_job", params: ["nobody"] }).then(
    () => null,
    (error) => ({ code: error.code, message: error.message, data: error.data }),
  );
  client.startBatch();
  const batch = [
    client.request({ method: "get_job_status", params: [said.job_id] }),
    client.request({ method: "get_job_output", params: [said.job_id] }),
  ];
  client.stopBatch();
  said.batch = await Promise.all(batch);
  transport.close();
  return said;
}

async function main() {
  const said = {
    http: await talk(new HTTPTransport(`http://127.0.0.1:${port}/rpc`)),
    websocket: await talk(new WebSocketTransport(`ws://127.0.0.1:${port}/`)),
  };
  const client = new Client(new RequestManager([new HTTPTransport(`http://127.0.0.1:${port}/rpc`)]));
  const described = await client.request({ method: "rpc.discover", params: [] });
  const problem = validateOpenRPCDocument(described);
  said.document = problem === true ? "valid" : String(problem);
  said.methods = (await parseOpenRPCDocument(described)).methods.length;
  console.log(JSON.stringify(said));
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
