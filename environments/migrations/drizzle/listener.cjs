// Loaded into drizzle-kit, which on an error exits 1 and says nothing: what the database answers to node-postgres is
// appended to a private file, one JSON object per statement or error. Ends with the process that started it.
"use strict";
const fs = require("node:fs");
const { createRequire } = require("node:module");

const report = process.env.ENVIRONMENTS_REPORT;
const parent = Number(process.env.ENVIRONMENTS_PARENT);
for (const name of ["NODE_OPTIONS", "ENVIRONMENTS_REPORT", "ENVIRONMENTS_PARENT"]) delete process.env[name];

const endAlone = () => process.ppid === parent || process.kill(process.pid, "SIGKILL");
endAlone();
setInterval(endAlone, 100).unref();

const tell = (entry) => fs.appendFileSync(report, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
const failure = (error) => ({ code: error.code ?? "", message: error.message || error.code || String(error) });

function listen({ Client }) {
  const { Query } = Client;
  const { submit, handleError, handleReadyForQuery } = Query.prototype;
  const { connect } = Client.prototype;
  Query.prototype.submit = function (connection) {
    this.began = performance.now();
    return submit.call(this, connection);
  };
  Query.prototype.handleError = function (error, connection) {
    tell({ text: this.text, ...failure(error) });
    return handleError.call(this, error, connection);
  };
  Query.prototype.handleReadyForQuery = function (connection) {
    if (!this._canceledDueToError) tell({ text: this.text, ms: performance.now() - this.began });
    return handleReadyForQuery.call(this, connection);
  };
  Client.prototype.connect = function (callback) {
    if (!callback) return connect.call(this).catch((error) => Promise.reject((tell(failure(error)), error)));
    return connect.call(this, (error, ...rest) => {
      if (error) tell(failure(error));
      callback(error, ...rest);
    });
  };
}

let driver;
try {
  driver = createRequire(fs.realpathSync(process.argv[1]))("pg");
} catch {
  // Another driver: the run is judged by the table alone, as it always is.
}
if (driver) listen(driver);
