// Bars as they form, over the service's WebSocket; after a break it goes on where it was, and no bar is missing.
// node --experimental-websocket examples/my_stream.js [url] [symbol] [interval]      (from node 22 on without the flag)
const [url = "ws://127.0.0.1:8000/api/v1/ws", sym = "AAPL", interval = "1m"] = process.argv.slice(2);
const bars = new Map(); // time -> bar
let known = {}; // after and epoch: how far we are, and in which journal

function connect() {
  const socket = new WebSocket(url);
  let epoch;
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type === "hello") {
      epoch = message.epoch;
      socket.send(JSON.stringify({ op: "subscribe", channel: "bars", sym, interval, last: 500, ...known }));
    }
    if (message.type === "snapshot") bars.clear();
    for (const bar of message.rows ?? []) bars.set(bar.time, bar);
    if (["snapshot", "update", "mark"].includes(message.type)) known = { after: message.seq, epoch };
    if (message.rows) console.log(JSON.stringify([...bars.values()].at(-1) ?? null));
    if (message.type === "error") console.error(message.detail);
  };
  socket.onclose = () => setTimeout(connect, 1000);
  socket.onerror = () => socket.close();
}
connect();
