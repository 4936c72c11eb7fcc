// Replaces a file over and over, as the program `crash` does, with the package write-file-atomic: each number is printed once its content is said to be there.
"use strict";

const write = require("write-file-atomic");

const [path, first] = process.argv.slice(2);

// Says itself what it should be: its number, its length, and so many bytes that depend on the number.
function content(n) {
  const length = Number(BigInt.asUintN(64, BigInt(n) * 0x9e3779b97f4a7c15n) % 40000n);
  return Buffer.concat([Buffer.from(`${n} ${length}\n`), Buffer.alloc(length, n % 251)]);
}

(async () => {
  for (let n = Number(first); ; n += 1) {
    await write(path, content(n));
    process.stdout.write(`${n}\n`);
  }
})();
