// The peer outside Python: Socket.IO with a room for each user. Run by compare.py, with the
// folder that the package was installed in as NODE_PATH.
const crypto = require("node:crypto");
const http = require("node:http");
const { Server } = require("socket.io");

const key = process.env.SECRET_KEY;

function userOf(token) {
  const [head, claims, signature] = token.split(".");
  const mac = crypto.createHmac("sha256", key).update(`${head}.${claims}`);
  if (mac.digest("base64url") !== signature) throw new Error("not signed by us");
  return JSON.parse(Buffer.from(claims, "base64url")).user_id;
}

const server = http.createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    const { first = 0, count = 0, times = 1, mark } = JSON.parse(body);
    for (let n = 0; n < times; n++) {
      if (!count) io.emit("mark", { mark });
      for (let user = first; user < first + count; user++) {
        io.to(`user_${user}`).emit("mark", { mark });
      }
    }
    response.writeHead(204).end();
  });
});
const io = new Server(server, { transports: ["websocket"] });

io.use((socket, next) => {
  const [, token] = (socket.handshake.headers.authorization || "").split(" ");
  try {
    socket.user = userOf(token);
    next();
  } catch (error) {
    next(error);
  }
});
io.on("connection", (socket) => {
  socket.join(`user_${socket.user}`);
  socket.emit("connection_established");
});
server.listen(Number(process.argv[2]), "127.0.0.1");
