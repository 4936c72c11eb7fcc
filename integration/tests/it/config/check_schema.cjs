// Checks instances against a schema with ajv: prints a JSON list of booleans.
const { readFileSync } = require("node:fs");
const Ajv2020 = require("ajv/dist/2020");

const work = JSON.parse(readFileSync(process.argv[2], "utf8"));
const validate = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true }).compile(work.schema);
console.log(JSON.stringify(work.instances.map((instance) => validate(instance))));
