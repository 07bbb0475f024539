// node-media-server on a free port of loopback, which it prints.
// Arguments: the folder with node_modules, a folder for its data.
import { createRequire } from "node:module";
import path from "node:path";

const [packages, data] = process.argv.slice(2);
const require = createRequire(path.join(packages, "package.json"));
const NodeMediaServer = require("node-media-server");

const server = new NodeMediaServer({
  bind: "127.0.0.1",
  // A number 0 would mean no RTMP at all.
  rtmp: { port: "0" },
  store: { path: data },
  webadmin: { enable: false },
});
await server.run();
const { tcpServer } = server.rtmpServer;
const tell = () => console.log(`port=${tcpServer.address().port}`);
if (tcpServer.listening) tell();
else tcpServer.once("listening", tell);
