// Server-Sent Events (WHATWG HTML §9.2.6) from a response's body. EventSource cannot send an access token, nor
// distinguish a refusal from a broken connection.

/** The events of a stream of bytes; `onPiece` is called for every piece, also for comments. */
export async function* events(body, onPiece = () => {}) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let event = fresh();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return; // an event without its empty line is incomplete and is dropped
      onPiece();
      const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line !== "") {
          take(line, event);
        } else {
          if (event.data.length) yield { ...event, data: event.data.join("\n") };
          event = fresh();
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

const fresh = () => ({ type: "message", id: null, data: [] });

function take(line, event) {
  const colon = line.indexOf(":");
  if (colon === 0) return;
  const field = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
  if (field === "data") event.data.push(value);
  else if (field === "event") event.type = value;
  else if (field === "id") event.id = value;
}
