// Reads an AsyncAPI document from standard input; writes {"channels": [...], "errors": [...]}; an error has severity 0.
import { text } from "node:stream/consumers";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(await text(process.stdin));
const errors = diagnostics.filter(({ severity }) => severity === 0);
console.log(
  JSON.stringify({
    channels: document ? document.channels().all().map((channel) => channel.address()) : [],
    errors: errors.map(({ message, path }) => `${path.join("/")}: ${message}`),
  }),
);
