// Reads .env texts with dotenv: a JSON list of texts in, a JSON list of objects out.
const { readFileSync } = require("node:fs");
const { parse } = require("dotenv");

const texts = JSON.parse(readFileSync(process.argv[2], "utf8"));
console.log(JSON.stringify(texts.map((text) => parse(text))));
